//! Errors of the user's: as the same variant over a call, also through a stub, and as others see them.

use std::fmt;

use rpc::{Code, Result, Status};
use serde::{Deserialize, Serialize};

use crate::support::channel;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    shelf: u8,
}

/// Nests without a byte of its own for a level.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Chain(Option<Box<Chain>>);

#[derive(Debug, thiserror::Error, rpc_codegen::ServiceError)]
#[rpc(domain = "shop.v1")]
pub(crate) enum ReserveError {
    #[error("only {left} left of {sku}")]
    #[rpc(code = FailedPrecondition)]
    OutOfStock {
        sku: String,
        left: u32,
        until: Option<u64>,
    },
    #[error("no article {0}")]
    #[rpc(code = NotFound, reason = "SKU_UNKNOWN")]
    Unknown(u64),
    #[error("at the wrong place")]
    #[rpc(code = InvalidArgument)]
    Misplaced {
        #[rpc(json)]
        place: Place,
        #[rpc(json)]
        other: Option<Vec<Place>>,
    },
    #[error("something broke")]
    #[rpc(code = Internal)]
    Broken {
        #[rpc(json)]
        cause: Chain,
    },
    #[error("closed")]
    #[rpc(code = Unavailable)]
    Closed,
    #[error(transparent)]
    #[rpc(other)]
    Other(Status),
}

fn samples() -> Vec<ReserveError> {
    vec![
        ReserveError::OutOfStock {
            sku: "47 11".into(),
            left: 3,
            until: None,
        },
        ReserveError::OutOfStock {
            sku: String::new(),
            left: 0,
            until: Some(9),
        },
        ReserveError::Unknown(42),
        ReserveError::Misplaced {
            place: Place { shelf: 1 },
            other: None,
        },
        ReserveError::Misplaced {
            place: Place { shelf: 1 },
            other: Some(vec![Place { shelf: 2 }]),
        },
        ReserveError::Broken { cause: Chain(None) },
        ReserveError::Closed,
    ]
}

#[rpc_codegen::service(package = "shop.v1")]
pub(crate) trait Reserve {
    async fn reserve(&self, sample: usize) -> Result<(), ReserveError>;
}

struct Shop;

impl Reserve for Shop {
    async fn reserve(&self, sample: usize) -> Result<(), ReserveError> {
        Err(samples()
            .into_iter()
            .nth(sample)
            .unwrap_or_else(|| Status::data_loss("burnt").into()))
    }
}

/// Asks another service, and returns what it says.
struct Reseller<T>(T);

impl<T: Reserve> Reserve for Reseller<T> {
    async fn reserve(&self, sample: usize) -> Result<(), ReserveError> {
        self.0.reserve(sample).await
    }
}

#[tokio::test]
async fn an_error_comes_back_as_the_same_variant() {
    let stub = ReserveClient::new(channel(ReserveServer::new(Shop)));
    for (i, sample) in samples().into_iter().enumerate() {
        let error = stub.reserve(i).await.expect_err("it fails");
        assert_eq!(format!("{error:?}"), format!("{sample:?}"));
    }
}

#[tokio::test]
async fn an_error_passes_through_a_service_in_between() {
    let shop = ReserveClient::new(channel(ReserveServer::new(Shop)));
    let stub = ReserveClient::new(channel(ReserveServer::new(Reseller(shop))));
    for (i, sample) in samples().into_iter().enumerate() {
        let error = stub.reserve(i).await.expect_err("it fails");
        assert_eq!(format!("{error:?}"), format!("{sample:?}"));
    }
}

#[tokio::test]
async fn every_other_failure_is_the_catch_all() {
    let stub = ReserveClient::new(channel(ReserveServer::new(Shop)));
    let error = stub.reserve(99).await.expect_err("it fails");
    assert!(matches!(error, ReserveError::Other(status) if status.code() == Code::DataLoss));
}

#[test]
fn others_see_code_reason_domain_and_parameters() {
    let status = Status::from(ReserveError::OutOfStock {
        sku: "4711".into(),
        left: 3,
        until: None,
    });
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.message(), "only 3 left of 4711");
    assert_eq!(status.reason(), Some("OUT_OF_STOCK"));
    assert_eq!(status.domain(), Some("shop.v1"));
    let parameters: Vec<_> = status.error_info().expect("there is a reason").metadata.clone();
    assert_eq!(
        parameters,
        [("sku".into(), "4711".into()), ("left".into(), "3".into())]
    );
    assert_eq!(
        Status::from(ReserveError::Unknown(1)).reason(),
        Some("SKU_UNKNOWN")
    );
}

#[test]
fn what_is_not_understood_is_the_catch_all() {
    let status = |reason: &'static str, domain: &'static str| {
        Status::not_found("").with_reason(reason).with_domain(domain)
    };
    for status in [
        status("SKU_UNKNOWN", "another"),
        status("SKU_UNKNOWN", "shop.v1"),
        status("SKU_UNKNOWN", "shop.v1").with_parameter("value", "not a number"),
        status("NEWER", "shop.v1"),
        status("OUT_OF_STOCK", "shop.v1")
            .with_parameter("sku", "1")
            .with_parameter("left", "1")
            .with_parameter("until", "soon"),
        status("BROKEN", "shop.v1").with_parameter("cause", "1"),
        Status::internal("none"),
    ] {
        let code = status.code();
        let error = ReserveError::from(status);
        assert!(matches!(error, ReserveError::Other(status) if status.code() == code));
    }
}

/// Written by hand, without the derive: the conversions are all that is asked for.
#[derive(Debug)]
pub(crate) struct OwnError(Status);

impl From<Status> for OwnError {
    fn from(status: Status) -> Self {
        Self(status)
    }
}

impl From<OwnError> for Status {
    fn from(error: OwnError) -> Self {
        error.0.with_parameter("own", "yes")
    }
}

type OwnResult<T> = std::result::Result<T, OwnError>;
type NumberResult = OwnResult<u32>;

#[rpc_codegen::service(package = "shop.v1")]
pub(crate) trait Own {
    async fn fail(&self) -> OwnResult<u32>;
    async fn number(&self) -> NumberResult;
}

struct Failing;

impl Own for Failing {
    async fn fail(&self) -> OwnResult<u32> {
        Err(OwnError(Status::aborted("no").with_reason("NO")))
    }

    async fn number(&self) -> NumberResult {
        Ok(7)
    }
}

#[tokio::test]
async fn aliases_of_result_are_seen_through() {
    let stub = OwnClient::new(channel(OwnServer::new(Failing)));
    assert_eq!(stub.number().await.expect("it answers"), 7);
    let OwnError(status) = stub.fail().await.expect_err("it fails");
    assert_eq!(
        status.error_info().expect("there is a reason").metadata,
        [("own".into(), "yes".into())]
    );
}

/// A derive without fields to name, and a catch-all with one.
#[derive(Debug, rpc_codegen::ServiceError)]
#[rpc(domain = "x")]
enum Small {
    #[rpc(code = Aborted)]
    A {},
    #[cfg(any())]
    #[rpc(code = Aborted)]
    Gone(NoSuchType),
    #[rpc(other)]
    Rest { status: Status },
}

impl fmt::Display for Small {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("small")
    }
}

#[test]
fn all_forms_of_variants() {
    assert!(matches!(Small::from(Status::from(Small::A {})), Small::A {}));
    let rest = Small::from(Status::internal("x"));
    assert!(matches!(&rest, Small::Rest { status } if status.code() == Code::Internal));
    assert_eq!(Status::from(rest).code(), Code::Internal);
}
