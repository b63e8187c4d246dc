//! Logs in, and shows the token with each call.
//!
//! etcd's simple tokens live five minutes after their last use, and none survives a restart of the member that gave it, so a
//! refusal is the rule and not the exception: the call logs in again and is sent once more.

use std::sync::Arc;

use rpc_core::{Body, Call, Channel, Context, Reply, Request, Result, Stage, Status};
use tokio::sync::Mutex;

use crate::{
    EtcdConfig, Password,
    api::{Auth as _, AuthClient, AuthenticateRequest},
    endpoints::Endpoints,
    error::{needs_no_login, wants_login},
};

/// The metadata that etcd looks for.
const TOKEN: &str = "token";

pub(crate) struct Login {
    inner: Arc<Endpoints>,
    user: Option<(String, Password)>,
    auth: AuthClient,
    /// Held while somebody logs in: the others want the same token.
    token: Mutex<Token>,
}

#[derive(Clone)]
enum Token {
    Wanted,
    /// etcd lets everybody in.
    Needless,
    Known(Arc<str>),
}

impl Login {
    pub(crate) fn new(config: &EtcdConfig, inner: Arc<Endpoints>) -> Self {
        Self {
            auth: AuthClient::new(Channel::new(Arc::clone(&inner))),
            inner,
            user: config.user.clone(),
            token: Mutex::new(Token::Wanted),
        }
    }

    /// True if somebody logs in at all.
    pub(crate) fn has_user(&self) -> bool {
        self.user.is_some()
    }

    /// The next call logs in anew.
    pub(crate) async fn forget(&self) {
        *self.token.lock().await = Token::Wanted;
    }

    /// The token; `None` where none is needed. `refused` is no good any more.
    async fn token(&self, refused: Option<&Arc<str>>) -> Result<Option<Arc<str>>> {
        let Some((name, password)) = &self.user else {
            return Ok(None);
        };
        let mut token = self.token.lock().await;
        match &*token {
            Token::Known(known) if refused.is_none_or(|refused| !Arc::ptr_eq(known, refused)) => {
                return Ok(Some(Arc::clone(known)));
            }
            Token::Needless if refused.is_none() => return Ok(None),
            _ => {}
        }
        let request = AuthenticateRequest {
            name: name.clone(),
            password: password.reveal().to_owned(),
        };
        // Not bounded by the deadline of whatever call this process is answering: others wait for the token too.
        let request = Request::new(request).with_context(Context::new());
        match self.auth.authenticate(request).await {
            Ok(answer) => {
                let new: Arc<str> = answer.token.into();
                *token = Token::Known(Arc::clone(&new));
                Ok(Some(new))
            }
            Err(status) if needs_no_login(&status) => {
                *token = Token::Needless;
                Ok(None)
            }
            Err(status) => {
                *token = Token::Wanted;
                Err(status)
            }
        }
    }
}

impl Stage for Login {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply> {
        let token = self.token(None).await?;
        show(call, token.as_ref())?;
        let status = match self.inner.call(call).await {
            Err(status) if self.has_user() && wants_login(&status) && !matches!(call.body, Body::Empty) => {
                status
            }
            result => return result,
        };
        tracing::debug!(%status, "etcd wants another token");
        if token.is_none() {
            // Nobody had to log in until now.
            self.forget().await;
        }
        show(call, self.token(token.as_ref()).await?.as_ref())?;
        self.inner.call(call).await
    }
}

fn show(call: &mut Call<'_>, token: Option<&Arc<str>>) -> Result<()> {
    if let Some(token) = token {
        let shown = call.metadata.insert(TOKEN, token.as_ref());
        shown.map_err(|error| Status::internal("etcd's token cannot be sent").with_source(error))?;
    }
    Ok(())
}
