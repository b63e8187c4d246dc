//! What a method returns: a `Result`, or an alias of one, around a message, a stream, or a `Response` of either.

use syn::{ReturnType, Signature, Type};

use super::types::{arguments, inside, plain, refuse_in_message, refuse_unsendable};
use crate::{ast::Output, errors::Errors, names::type_text, text};

/// Reads the return type; `None` if it can be no `Result`.
pub(super) fn read(sig: &Signature, errors: &mut Errors) -> Option<Output> {
    let method = &sig.ident;
    let ty = match &sig.output {
        ReturnType::Default => {
            errors.at(method, text::no_result(method, "()"));
            return None;
        }
        ReturnType::Type(_, ty) => plain(ty),
    };
    let Type::Path(path) = ty else {
        // Not `async` and a future: that was said already.
        if sig.asyncness.is_some() {
            errors.at(ty, text::no_result(method, &inner_text(ty)));
        }
        return None;
    };
    let last = path.path.segments.last()?;
    // The name decides: to leave it to the compiler would be one mistake shown at five places.
    if !last.ident.to_string().ends_with("Result") {
        if sig.asyncness.is_some() {
            errors.at(ty, text::odd_result(method, &inner_text(ty)));
        }
        return None;
    }
    let types = arguments(&last.arguments);
    let Some(first) = types.first().copied() else {
        refuse_unsendable(ty, errors);
        return Some(Output {
            ty: ty.clone(),
            inner: None,
            shown: ty.clone(),
            shown_error: ty.clone(),
            wrapped: false,
            streaming: false,
        });
    };
    if inside(first, "Request").is_some() {
        errors.at(first, text::request_result(method));
        return None;
    }
    let response = inside(first, "Response");
    let unwrapped = response.unwrap_or(first);
    let stream = inside(unwrapped, "Streaming");
    let message = stream.unwrap_or(unwrapped);
    refuse_in_message(message, errors);
    for error in &types[1..] {
        refuse_unsendable(error, errors);
    }
    Some(Output {
        ty: ty.clone(),
        inner: (response.is_some() || stream.is_some()).then(|| message.clone()),
        shown: message.clone(),
        shown_error: types.get(1).copied().unwrap_or(ty).clone(),
        wrapped: response.is_some(),
        streaming: stream.is_some(),
    })
}

/// The type as the user wrote it, if it could be inside of a `Result`.
fn inner_text(ty: &Type) -> String {
    match ty {
        Type::Path(_) | Type::Array(_) => type_text(ty),
        Type::Tuple(tuple) if !tuple.elems.is_empty() => type_text(ty),
        _ => "()".to_owned(),
    }
}
