//! A call belongs to the context in which the stub was called.

use rpc::{Context, Result, context::Lane};

use crate::support::channel;

#[rpc_codegen::service(package = "test")]
pub(crate) trait Lanes {
    async fn lane(&self) -> Result<Option<String>>;
}

struct Here;

impl Lanes for Here {
    async fn lane(&self) -> Result<Option<String>> {
        Ok(Context::current().lane().map(ToString::to_string))
    }
}

#[tokio::test]
async fn the_context_is_that_of_the_call_not_of_the_first_poll() {
    let stub = LanesClient::new(channel(LanesServer::new(Here)));
    let lane = Lane::new("blue").expect("it is a lane");
    let made_inside = Context::new().with_lane(lane).enter(|| stub.lane());
    assert_eq!(made_inside.await.expect("it answers").as_deref(), Some("blue"));
    assert_eq!(stub.lane().await.expect("it answers"), None);
}
