//! The headers of a request.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version,
    header::{CONTENT_TYPE, TE, USER_AGENT},
    uri::{Authority, PathAndQuery, Scheme},
};
use rpc_core::{
    Call, Status,
    context::{Expiry, TRACEPARENT_KEY},
    status::Side,
};

use crate::{
    Compression,
    wire::{compress, content_type, headers, names, timeout::Timeout},
};

/// How many headers of the protocol all requests have.
const OWN_HEADERS: usize = 5;

/// What all requests of a link have in common.
pub(crate) struct HeadTemplate {
    scheme: Scheme,
    authority: Authority,
    /// Headers of the protocol, as most calls have them; what one has otherwise is put over them. Cloning a map is half of the
    /// work of filling one.
    headers: HeaderMap,
}

impl HeadTemplate {
    pub(crate) fn new(scheme: Scheme, authority: Authority, user_agent: HeaderValue) -> Self {
        let mut headers = HeaderMap::with_capacity(OWN_HEADERS);
        headers.insert(names::TIMEOUT, HeaderValue::from_static("0n"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, content_type::value(content_type::DEFAULT_SUBTYPE));
        headers.insert(names::ACCEPT_ENCODING, compress::accepted());
        headers.insert(USER_AGENT, user_agent);
        Self {
            scheme,
            authority,
            headers,
        }
    }

    /// The head of a call's request, with the time that is left of its deadline now. Both ends enter that into their header tables
    /// if `keeps` says so of it.
    ///
    /// # Errors
    /// DEADLINE_EXCEEDED if nothing is left; RESOURCE_EXHAUSTED if the metadata is too large.
    pub(crate) fn request(
        &self,
        call: &Call<'_>,
        keeps: impl FnOnce(Timeout) -> bool,
        compression: Option<Compression>,
        limit_bytes: usize,
    ) -> Result<Request<()>, Status> {
        // What a user wrote wins over the context's own entries.
        let context = call.context.injected(&call.metadata);
        let mut headers = self.headers.clone();
        if let Some(deadline) = call.context.deadline() {
            let left = deadline.remaining();
            if left.is_zero() {
                return Err(Expiry::status().at_side(Side::Client).not_processed());
            }
            let timeout = Timeout::of(left);
            let mut value = timeout.value();
            // This keeps it out of the tables, unless it is in them already.
            value.set_sensitive(!keeps(timeout));
            headers.insert(names::TIMEOUT, value);
        } else {
            headers.remove(names::TIMEOUT);
        }
        if call.codec != content_type::DEFAULT_SUBTYPE {
            headers.insert(CONTENT_TYPE, content_type::value(&call.codec));
        }
        if let Some(compression) = compression {
            headers.insert(names::ENCODING, compress::value(compression));
        }
        if !call.metadata.is_empty() || !context.is_empty() {
            let ours = |status: Status| status.at_side(Side::Client).not_processed();
            headers::reserve(&mut headers, call.metadata.len() + context.len()).map_err(ours)?;
            headers::append_metadata(&call.metadata, &mut headers);
            headers::append_metadata(&context, &mut headers);
            if let Some(trace) = headers.get_mut(TRACEPARENT_KEY) {
                // It is another one in each call, and would drive all else out of the tables.
                trace.set_sensitive(true);
            }
            headers::check_size(&headers, limit_bytes).map_err(ours)?;
        }
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.uri(call)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn uri(&self, call: &Call<'_>) -> Result<Uri, Status> {
        let path = match call.method.static_path() {
            Some(path) => Bytes::from_static(path.as_bytes()),
            None => Bytes::copy_from_slice(call.method.path().as_bytes()),
        };
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(path).map_err(|_| no_path(call))?);
        Uri::from_parts(parts).map_err(|_| no_path(call))
    }
}

fn no_path(call: &Call<'_>) -> Status {
    Status::internal(format!(
        "`{}` is no path of a method",
        call.method.path().escape_default()
    ))
    .at_side(Side::Client)
    .not_processed()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rpc_core::{Body, Context, Deadline, Method, MethodDescriptor, Shape, context::TraceContext};

    use super::*;

    static METHOD: MethodDescriptor = MethodDescriptor::new("/test.S/M", Shape::Unary);

    fn template() -> HeadTemplate {
        HeadTemplate::new(
            Scheme::HTTP,
            Authority::from_static("test:1"),
            HeaderValue::from_static("tester"),
        )
    }

    fn call(codec: &'static str) -> Call<'static> {
        Call::new(Method::Static(&METHOD), codec, Body::Empty)
    }

    fn headers(call: &Call<'_>, remembered: bool) -> HeaderMap {
        let request = template().request(call, |_| remembered, None, 1 << 20);
        request.expect("it can be sent").into_parts().0.headers
    }

    #[test]
    fn what_a_call_has_not_is_not_sent() {
        let headers = headers(&call("json"), false);
        assert_eq!(headers.get(names::TIMEOUT), None);
        assert_eq!(headers[CONTENT_TYPE], "application/grpc+json");
        assert_eq!(
            (&headers[TE], &headers[USER_AGENT]),
            (
                &HeaderValue::from_static("trailers"),
                &HeaderValue::from_static("tester")
            )
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_timeout_is_what_is_left_and_stays_out_of_the_tables_unless_told() {
        let mut call = call("proto");
        call.context = Context::new().with_deadline(Deadline::after(Duration::from_millis(5)));
        for remembered in [true, false] {
            let headers = headers(&call, remembered);
            assert_eq!(headers[CONTENT_TYPE], "application/grpc+proto");
            assert_eq!(headers[names::TIMEOUT], "5m");
            assert_eq!(headers[names::TIMEOUT].is_sensitive(), !remembered);
        }
    }

    #[test]
    fn metadata_goes_along() {
        let mut call = call("proto");
        call.metadata.append("x-a", "1").expect("legal");
        call.metadata.append("x-a", "2").expect("legal");
        let headers = headers(&call, false);
        assert_eq!(headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn the_trace_stays_out_of_the_tables() {
        let mut call = call("proto");
        let trace = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        call.context = Context::new().with_trace(trace);
        call.metadata.append("x-a", "1").expect("legal");
        let headers = headers(&call, false);
        assert!(headers[TRACEPARENT_KEY].is_sensitive());
        assert!(!headers["x-a"].is_sensitive());
    }
}
