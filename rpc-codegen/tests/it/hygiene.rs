//! Generated code picks up nothing of the user's, and leaks nothing into the user's module.

/// No prelude, the crate under another name, and everything that generated code might mean defined as something else.
#[allow(dead_code, reason = "what is in the way is not used")]
mod bare {
    #![no_implicit_prelude]

    use ::rpc as renamed;

    pub(crate) type Result<T> = ::core::result::Result<T, renamed::Status>;

    #[derive(::core::fmt::Debug, ::serde::Serialize, ::serde::Deserialize)]
    pub(crate) struct Option;
    #[derive(::core::fmt::Debug, ::serde::Serialize, ::serde::Deserialize)]
    pub(crate) struct String;
    #[derive(::core::fmt::Debug, ::serde::Serialize, ::serde::Deserialize)]
    pub(crate) struct Vec {
        pub(crate) units: u32,
    }
    #[derive(::core::fmt::Debug, ::serde::Serialize, ::serde::Deserialize)]
    pub(crate) struct T;

    // In the way of whoever does not write paths in full.
    pub(crate) struct Box;
    pub(crate) struct Arc;
    pub(crate) struct Future;
    pub(crate) struct Send;
    pub(crate) struct Sync;
    pub(crate) struct Sized;
    pub(crate) struct Into;
    pub(crate) struct From;
    pub(crate) struct Clone;
    pub(crate) struct Channel;
    pub(crate) struct Call;
    pub(crate) struct Request;
    pub(crate) struct Status;
    pub(crate) struct Some;
    pub(crate) struct Ok;
    pub(crate) mod rpc {}
    pub(crate) mod core {}
    pub(crate) mod std {}
    pub(crate) mod serde {}

    #[::rpc_codegen::service(package = "bare", crate = renamed, dyn, blocking)]
    pub(crate) trait Bare {
        async fn plain(&self, option: Option) -> Result<String>;
        async fn several(
            &self,
            call: Option,
            channel: Vec,
            request: T,
            message: u8,
            method: u8,
        ) -> Result<Vec>;
        async fn status(&self, request: renamed::Request<Vec>) -> Result<renamed::Response<T>>;
        async fn stream(&self, call: renamed::Streaming<T>) -> Result<renamed::Streaming<T>>;
        async fn nothing(&self) -> Result<()> {
            ::core::result::Result::Ok(())
        }
    }

    #[derive(::core::fmt::Debug, ::rpc_codegen::ServiceError)]
    #[rpc(domain = "bare", crate = renamed)]
    pub(crate) enum Failure {
        #[rpc(code = NotFound)]
        Gone {
            error: u32,
            status: ::core::option::Option<u32>,
            text: u32,
            field: u32,
        },
        #[rpc(other)]
        Other(renamed::Status),
    }

    impl ::core::fmt::Display for Failure {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            ::core::fmt::Formatter::write_str(f, "gone")
        }
    }
}

/// The same for protobuf.
mod bare_prost {
    #![no_implicit_prelude]

    use ::rpc as renamed;

    type OutcomeResult<T> = ::core::result::Result<T, renamed::Status>;

    #[::rpc_codegen::service(package = "bare", crate = renamed, codecs = [Prost, Json])]
    pub(crate) trait BareProst {
        async fn several(&self, buf: ::std::string::String, tag: u32, wire_type: u64) -> OutcomeResult<u32>;
    }
}

/// Methods with names that generated code and common traits use too.
mod names {
    #![deny(
        warnings,
        missing_docs,
        clippy::pedantic,
        unreachable_pub,
        rust_2018_idioms,
        unused_qualifications
    )]

    use rpc::{Request, Response, Result, Streaming};

    /// A service with awkward names.
    #[rpc_codegen::service(package = "names", dyn)]
    pub trait Names {
        /// As a constructor.
        async fn new(&self, channel: u32) -> Result<u32>;
        /// As a service's function.
        async fn call(&self, call: u32, method: u32) -> Result<u32>;
        /// As that of `Clone`.
        async fn clone(&self) -> Result<u32>;
        /// As that of `Debug`.
        async fn fmt(&self, f: u32) -> Result<u32>;
        /// As that of a service.
        async fn descriptor(&self, request: Request<u32>) -> Result<Response<u32>>;
        /// As a function of the core.
        async fn unary(&self, message: Streaming<u32>) -> Result<u32>;
        /// As a constructor of the server.
        async fn from_arc(&self, service: u32) -> Result<u32>;
        /// As the codecs of another one.
        async fn call_codecs(&self, call: u32, method: u32) -> Result<u32>;
        /// Old.
        #[deprecated = "since always"]
        async fn old(&self) -> Result<u32>;
    }

    struct All;

    #[allow(deprecated)]
    impl Names for All {
        async fn new(&self, channel: u32) -> Result<u32> {
            Ok(channel)
        }

        async fn call(&self, call: u32, method: u32) -> Result<u32> {
            Ok(call + method)
        }

        async fn clone(&self) -> Result<u32> {
            Ok(3)
        }

        async fn fmt(&self, f: u32) -> Result<u32> {
            Ok(f)
        }

        async fn descriptor(&self, request: Request<u32>) -> Result<Response<u32>> {
            Ok(Response::new(request.into_inner()))
        }

        async fn unary(&self, message: Streaming<u32>) -> Result<u32> {
            drop(message);
            Ok(6)
        }

        async fn from_arc(&self, service: u32) -> Result<u32> {
            Ok(service)
        }

        async fn call_codecs(&self, call: u32, method: u32) -> Result<u32> {
            Ok(call * method)
        }

        async fn old(&self) -> Result<u32> {
            Ok(9)
        }
    }

    #[tokio::test]
    async fn awkward_names_work() {
        let stub = NamesClient::new(crate::support::channel(NamesServer::new(All)));
        assert_eq!(stub.new(1).await.expect("it answers"), 1);
        assert_eq!(stub.call(1, 1).await.expect("it answers"), 2);
        assert_eq!(Names::clone(&stub).await.expect("it answers"), 3);
        assert_eq!(Names::fmt(&stub, 4).await.expect("it answers"), 4);
        assert_eq!(
            stub.descriptor(Request::new(5))
                .await
                .expect("it answers")
                .into_inner(),
            5
        );
        assert_eq!(stub.unary(Streaming::empty()).await.expect("it answers"), 6);
        assert_eq!(stub.from_arc(7).await.expect("it answers"), 7);
        assert_eq!(stub.call_codecs(2, 4).await.expect("it answers"), 8);
    }

    /// A service whose methods are called as what is generated.
    #[rpc_codegen::service(package = "names")]
    #[allow(non_snake_case)]
    pub trait Capitals {
        /// As the descriptor.
        async fn SERVICE(&self) -> Result<u32>;
        /// As those of the methods.
        async fn METHODS(&self) -> Result<u32>;
        /// As the codecs' names.
        async fn CODECS(&self) -> Result<u32>;
        /// As a table of codecs.
        async fn TABLE_0(&self) -> Result<u32>;
    }

    #[test]
    fn capitals_work() {
        let methods = CapitalsClient::DESCRIPTOR.methods();
        assert_eq!(methods.len(), 4);
    }
}

/// Each form of the macros in a module that accepts no warning.
mod strict {
    #![deny(
        warnings,
        missing_docs,
        clippy::pedantic,
        unreachable_pub,
        rust_2018_idioms,
        unused_qualifications
    )]

    use rpc::{Request, Response, Result, Status, Streaming};

    /// A failure.
    #[derive(Debug, thiserror::Error, rpc_codegen::ServiceError)]
    #[rpc(domain = "strict")]
    pub enum Failure {
        /// With fields.
        #[error("{a} {b:?}")]
        #[rpc(code = NotFound)]
        Named {
            /// One.
            a: u32,
            /// Another.
            b: Option<String>,
        },
        /// With one field.
        #[error("{0}")]
        #[rpc(code = Aborted)]
        Lone(u32),
        /// Any other.
        #[error(transparent)]
        #[rpc(other)]
        Other(Status),
    }

    /// A service.
    #[rpc_codegen::service(package = "strict", dyn, blocking)]
    pub trait Strict: std::fmt::Debug {
        /// One message.
        #[rpc(idempotent, timeout = "2s")]
        async fn plain(&self, message: String) -> Result<String>;
        /// With metadata.
        async fn full(&self, message: Request<String>) -> Result<Response<String>, Failure>;
        /// Several.
        async fn several(&self, a: u32, #[rpc(default)] b: Vec<u8>) -> Result<u32, Failure>;
        /// None.
        async fn none(&self) -> Result<()>;
        /// Streams.
        async fn stream(&self, messages: Streaming<String>) -> Result<Streaming<String>, Failure>;
        /// Has a body.
        async fn body(&self, a: u32, b: u32) -> Result<u32> {
            self.several(a + b, Vec::new()).await.map_err(Into::into)
        }
    }

    /// Private, and used by nobody but for its stub.
    #[rpc_codegen::service(package = "strict", dyn, blocking)]
    trait Hidden {
        async fn plain(&self, message: String) -> Result<String>;
    }

    #[test]
    fn private_services_are_not_unused() {
        fn is<T: Hidden>() {}
        is::<HiddenClient>();
    }
}

/// Visibility carries over, to what is inside of blocks as well.
mod visibility {
    pub(super) mod inner {
        #[rpc_codegen::service(package = "visibility", dyn, blocking)]
        pub(super) trait Above {
            async fn get(&self, a: u32, b: u32) -> rpc::Result<u32>;
        }

        #[rpc_codegen::service(package = "visibility")]
        pub(in crate::hygiene) trait Within {
            async fn get(&self) -> rpc::Result<()>;
        }
    }

    #[test]
    fn it_is_that_of_the_trait() {
        fn is<T: inner::AboveDyn>() {}
        is::<inner::AboveClient>();
        assert_eq!(inner::AboveClient::DESCRIPTOR.name(), "visibility.Above");
    }
}

#[test]
fn a_restricted_service_is_seen_where_it_may_be() {
    assert_eq!(
        visibility::inner::WithinClient::DESCRIPTOR.name(),
        "visibility.Within"
    );
}

/// Inside of functions and macros.
#[test]
fn a_service_may_be_local_and_come_from_a_macro() {
    macro_rules! service {
        ($name:ident, $message:ty, $optional:ty) => {
            #[rpc_codegen::service(package = "local")]
            #[allow(dead_code)]
            trait $name {
                async fn get(&self, message: $message) -> rpc::Result<$message>;
                async fn watch(&self, message: $message) -> rpc::Result<rpc::Streaming<$message>>;
            }

            #[rpc_codegen::service(package = "local", codecs = [Prost])]
            #[allow(dead_code)]
            trait Fields {
                async fn several(
                    &self,
                    one: $message,
                    another: Option<$message>,
                    all: Vec<$message>,
                ) -> rpc::Result<()>;
            }

            #[derive(Debug, thiserror::Error, rpc_codegen::ServiceError)]
            #[rpc(domain = "local")]
            #[allow(dead_code)]
            enum Failure {
                #[error("{0:?}")]
                #[rpc(code = NotFound)]
                Gone($optional),
                #[error(transparent)]
                #[rpc(other)]
                Other(rpc::Status),
            }
        };
    }

    service!(Local, u32, Option<u32>);
    assert_eq!(LocalClient::DESCRIPTOR.name(), "local.Local");
    assert_eq!(FieldsClient::DESCRIPTOR.name(), "local.Fields");
    let status = rpc::Status::from(Failure::Gone(None));
    assert!(matches!(Failure::from(status), Failure::Gone(None)));
}
