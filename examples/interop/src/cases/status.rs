//! Failures that the server was asked for, or cannot help.

use rpc::{Code, Request, Status, Streaming};

use super::{Outcome, Peer, expect};
use crate::testing::{
    EchoStatus, Empty, SimpleRequest, StreamingOutputCallRequest, TestService, UnimplementedService,
};

const SPECIAL: &str = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

/// The server answers with the code and message that it is told, for a unary call and for a stream.
pub(super) async fn status_code_and_message(peer: Peer) -> Outcome {
    let message = "test status message";
    expect_status(unary(&peer, message).await, Code::Unknown, message)?;

    let request = StreamingOutputCallRequest {
        response_status: Some(echo(message)),
        ..Default::default()
    };
    let found = async {
        let responses = peer
            .test
            .full_duplex_call(Request::new(Streaming::from_iter([request])))
            .await?;
        responses.into_inner().message().await
    };
    expect_status(found.await, Code::Unknown, message)
}

/// A message of white space and characters from all over Unicode arrives as it is.
pub(super) async fn special_status_message(peer: Peer) -> Outcome {
    expect_status(unary(&peer, SPECIAL).await, Code::Unknown, SPECIAL)
}

/// A method that the server's service does not have.
pub(super) async fn unimplemented_method(peer: Peer) -> Outcome {
    expect_code(
        peer.test.unimplemented_call(Request::new(Empty {})).await,
        Code::Unimplemented,
    )
}

/// A service that the server does not have.
pub(super) async fn unimplemented_service(peer: Peer) -> Outcome {
    expect_code(
        peer.unimplemented
            .unimplemented_call(Request::new(Empty {}))
            .await,
        Code::Unimplemented,
    )
}

pub(super) fn expect_code<T>(found: Result<T, Status>, code: Code) -> Outcome {
    match found {
        Err(status) if status.code() == code => Ok(()),
        Err(status) => Err(format!("failed with {status}, expected {code}").into()),
        Ok(_) => Err(format!("it succeeded, expected {code}").into()),
    }
}

fn expect_status<T>(found: Result<T, Status>, code: Code, message: &str) -> Outcome {
    if let Err(status) = &found {
        expect("the message", status.message(), message)?;
    }
    expect_code(found, code)
}

async fn unary(peer: &Peer, message: &str) -> Result<(), Status> {
    let request = SimpleRequest {
        response_status: Some(echo(message)),
        ..Default::default()
    };
    peer.test.unary_call(Request::new(request)).await.map(drop)
}

fn echo(message: &str) -> EchoStatus {
    EchoStatus {
        code: Code::Unknown as i32,
        message: message.to_owned(),
    }
}
