//! `content-type`: `application/grpc`, then nothing, `+subtype` or `;parameters`.

use http::HeaderValue;

const BASE: &str = "application/grpc";

/// The subtype that a missing one means.
pub(crate) const DEFAULT_SUBTYPE: &str = "proto";

/// The content type that names no codec, and goes with each.
pub(crate) const UNNAMED: HeaderValue = HeaderValue::from_static(BASE);

/// The content-subtype of a message: the name of its codec, or none, which is [`DEFAULT_SUBTYPE`]'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subtype<'v>(Option<&'v str>);

impl<'v> Subtype<'v> {
    /// The subtype as it was named.
    pub(crate) fn named(self) -> Option<&'v str> {
        self.0
    }

    /// The codec that it means.
    pub(crate) fn codec(self) -> &'v str {
        self.0.unwrap_or(DEFAULT_SUBTYPE)
    }
}

/// A content type that is not gRPC's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsupported;

/// Reads a content type. Letters of either case count; parameters are passed over.
///
/// `application/grpc-web` is another protocol, with other framing: it is not a match.
pub(crate) fn parse(value: &HeaderValue) -> Result<Subtype<'_>, Unsupported> {
    // What nearly all peers send.
    if value == "application/grpc+proto" {
        return Ok(Subtype(Some(DEFAULT_SUBTYPE)));
    }
    if value == BASE {
        return Ok(Subtype(None));
    }
    let value = value.to_str().map_err(|_| Unsupported)?;
    let head = value.get(..BASE.len()).ok_or(Unsupported)?;
    if !head.eq_ignore_ascii_case(BASE) {
        return Err(Unsupported);
    }
    let rest = &value[BASE.len()..];
    let (kind, _parameters) = rest.split_once(';').unwrap_or((rest, ""));
    let kind = kind.trim_end_matches([' ', '\t']);
    match kind.strip_prefix('+') {
        Some("") => Err(Unsupported),
        Some(subtype) => Ok(Subtype(Some(subtype))),
        None if kind.is_empty() => Ok(Subtype(None)),
        None => Err(Unsupported),
    }
}

/// The content type of messages of a codec; `proto` is named too, as all peers do.
pub(crate) fn value(codec: &str) -> HeaderValue {
    match codec {
        "proto" => HeaderValue::from_static("application/grpc+proto"),
        "json" => HeaderValue::from_static("application/grpc+json"),
        "msgpack" => HeaderValue::from_static("application/grpc+msgpack"),
        // A codec whose name is no header value cannot be asked for over HTTP: it goes without one.
        _ => HeaderValue::try_from(format!("{BASE}+{codec}")).unwrap_or(UNNAMED),
    }
}

/// The content type to answer a request in: its own subtype, or none if it named none.
pub(crate) fn answer(subtype: Subtype<'_>) -> HeaderValue {
    subtype.named().map_or(UNNAMED, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subtype(text: &'static str) -> Result<Option<&'static str>, Unsupported> {
        parse(Box::leak(Box::new(HeaderValue::from_static(text)))).map(Subtype::named)
    }

    #[test]
    fn accepts_bare_subtype_and_parameters() {
        assert_eq!(subtype("application/grpc"), Ok(None));
        assert_eq!(subtype("application/grpc+proto"), Ok(Some("proto")));
        assert_eq!(subtype("Application/GRPC+json"), Ok(Some("json")));
        assert_eq!(subtype("application/grpc;charset=utf-8"), Ok(None));
        assert_eq!(subtype("application/grpc ; charset=utf-8"), Ok(None));
        assert_eq!(subtype("application/grpc+json; a=b"), Ok(Some("json")));
    }

    #[test]
    fn refuses_other_types() {
        for text in [
            "",
            "application/grp",
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpcx",
        ] {
            assert_eq!(subtype(text), Err(Unsupported), "{text}");
        }
        assert_eq!(subtype("application/grpc+"), Err(Unsupported));
        assert_eq!(subtype("application/json"), Err(Unsupported));
    }

    #[test]
    fn answers_in_the_same_subtype() {
        assert_eq!(answer(Subtype(None)), "application/grpc");
        assert_eq!(answer(Subtype(Some("json"))), "application/grpc+json");
        assert_eq!(value("mine"), "application/grpc+mine");
    }
}
