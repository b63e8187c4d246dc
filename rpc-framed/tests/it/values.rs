//! Messages whose own code is at fault: their call fails, and nothing else does.

use bytes::{Bytes, BytesMut};
use rpc_core::{
    Code, Request, client,
    codec::{Codec, CodecError, Decode, Encode, MessageCodec, MethodTypes},
    status::{Side, reason},
};

use super::{
    service::{METHODS, Raw, TestService},
    support::{echo, pair_with, within},
};

/// A message of so many bytes.
struct Odd {
    /// `None` where it panics when it is asked.
    said: Option<usize>,
    bytes: usize,
}

/// Of the same name as [`Raw`].
struct OddRaw;

impl Codec for OddRaw {
    const NAME: &'static str = Raw::NAME;
}

impl Encode<Odd> for OddRaw {
    fn encode(value: &Odd, out: &mut BytesMut) -> Result<(), CodecError> {
        out.resize(out.len() + value.bytes, 7);
        Ok(())
    }

    fn encoded_len(value: &Odd) -> Option<usize> {
        Some(value.said.expect("it panics"))
    }
}

impl Decode<Odd> for OddRaw {
    fn decode(_: Bytes) -> Result<Odd, CodecError> {
        Err(CodecError::new("nobody reads it"))
    }
}

static ODD: [MessageCodec<Odd>; 1] = [MessageCodec::of::<OddRaw>()];
static RAW: [MessageCodec<Bytes>; 1] = [MessageCodec::of::<Raw>()];
static TYPES: MethodTypes<Odd, Bytes> = MethodTypes::new(&METHODS[0], &ODD, &RAW);

#[tokio::test]
async fn a_message_that_does_not_know_its_length_ends_nothing_else() {
    let pair = pair_with(
        TestService::new(),
        |server| server.max_concurrent_calls = 1,
        |_| (),
    )
    .await;
    for bytes in [10, 1 << 20] {
        for said in [None, Some(1), Some(100_000)] {
            let request = Request::new(Odd { said, bytes });
            let answered = within(client::unary(&pair.channel, &TYPES, request)).await;
            if said.is_none() || bytes == 10 {
                assert_eq!(answered.expect("it is answered").message().len(), bytes);
            } else {
                let status = answered.expect_err("no frame takes as much");
                assert_eq!(
                    (status.code(), status.reason(), status.place().side()),
                    (
                        Code::Internal,
                        Some(reason::MESSAGE_UNENCODABLE),
                        Some(Side::Client)
                    )
                );
                assert!(!status.was_processed());
            }
            assert_eq!(echo(&pair.channel, "x").await.expect("there is a slot"), "x");
        }
    }
}
