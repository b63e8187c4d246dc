//! What a method takes: `&self`, and then nothing, one message or stream, or the fields of a message.

use proc_macro2::Ident;
use syn::{FnArg, Pat, PatType, Receiver, TraitItemFn, Type};

use super::types::{inside, refuse_in_message};
use crate::{
    ast::{Argument, Input},
    attr::ArgumentAttr,
    errors::Errors,
    names, text,
};

/// Reads the arguments; `None` if one of them has no place in a service.
pub(super) fn read(function: &TraitItemFn, errors: &mut Errors) -> Option<Input> {
    let method = &function.sig.ident;
    let inputs = function.sig.inputs.iter();
    let mut arguments = Vec::new();
    let mut whole = true;
    if let Some(receiver) = function.sig.receiver() {
        whole &= check_receiver(receiver, method, errors);
    } else {
        errors.at(method, text::no_receiver(method));
        whole = false;
    }
    for input in inputs {
        if let FnArg::Typed(typed) = input {
            match argument(typed, function.default.is_some(), method, errors) {
                Some(argument) => arguments.push(argument),
                None => whole = false,
            }
        }
    }
    let input = form(arguments, method, errors)?;
    whole.then_some(input)
}

fn check_receiver(receiver: &Receiver, method: &Ident, errors: &mut Errors) -> bool {
    let text = if receiver.colon_token.is_some() {
        text::receiver_odd(method)
    } else if receiver.reference.is_none() {
        text::receiver_by_value(method)
    } else if receiver.mutability.is_some() {
        text::receiver_mutable(method)
    } else if receiver.lifetime().is_some() || !receiver.attrs.is_empty() {
        text::receiver_odd(method)
    } else {
        return true;
    };
    errors.at(receiver, text);
    false
}

fn argument(typed: &PatType, has_body: bool, method: &Ident, errors: &mut Errors) -> Option<Argument> {
    let mut attrs = typed.attrs.clone();
    let said = ArgumentAttr::take(&mut attrs, errors);
    for other in &attrs {
        errors.at(other, text::argument_attribute());
    }
    let Pat::Ident(pat) = &*typed.pat else {
        errors.at(&typed.pat, text::argument_pattern(method));
        return None;
    };
    // `mut` says something about the body, where there is one.
    if let Some(token) = pat.mutability.filter(|_| !has_body) {
        errors.at(token, text::argument_mutable(&pat.ident));
    }
    if pat.by_ref.is_some() || pat.subpat.is_some() {
        errors.at(pat, text::argument_pattern(method));
        return None;
    }
    Some(Argument {
        field: names::field(&pat.ident),
        ident: pat.ident.clone(),
        ty: (*typed.ty).clone(),
        mutable: pat.mutability,
        default: said.default,
        tag: said.tag,
    })
}

/// Tells from the names in its types what a method takes.
fn form(mut arguments: Vec<Argument>, method: &Ident, errors: &mut Errors) -> Option<Input> {
    for argument in &arguments {
        if inside(&argument.ty, "Response").is_some() {
            errors.at(&argument.ty, text::response_argument(method));
            return None;
        }
    }
    if arguments.len() > 1 {
        return several(arguments, method, errors);
    }
    let Some(argument) = arguments.pop() else {
        return Some(Input::None);
    };
    for key in argument
        .default
        .iter()
        .chain(argument.tag.iter().map(|(key, _)| key))
    {
        errors.at(key, text::lone_argument(&key.to_string()));
    }
    let request = inside(&argument.ty, "Request");
    let unwrapped = request.unwrap_or(&argument.ty);
    let stream = inside(unwrapped, "Streaming");
    let message = stream.unwrap_or(unwrapped).clone();
    refuse_in_message(&message, errors);
    Some(Input::One {
        wrapped: request.is_some(),
        streaming: stream.is_some(),
        message: Box::new(message),
        argument: Box::new(argument),
    })
}

fn several(arguments: Vec<Argument>, method: &Ident, errors: &mut Errors) -> Option<Input> {
    let is_stream = |ty: &Type| inside(inside(ty, "Request").unwrap_or(ty), "Streaming").is_some();
    let mut whole = true;
    if arguments
        .iter()
        .filter(|argument| is_stream(&argument.ty))
        .count()
        > 1
    {
        let second = arguments
            .iter()
            .filter(|argument| is_stream(&argument.ty))
            .nth(1)
            .map(|argument| &argument.ty);
        errors.at(second, text::two_streams(method));
        return None;
    }
    for Argument { ty, .. } in &arguments {
        if is_stream(ty) {
            errors.at(ty, text::stream_among(method));
            whole = false;
        } else if inside(ty, "Request").is_some() {
            errors.at(ty, text::request_among(method));
            whole = false;
        } else {
            refuse_in_message(ty, errors);
        }
    }
    for (i, argument) in arguments.iter().enumerate() {
        if arguments[..i].iter().any(|other| other.field == argument.field) {
            errors.at(&argument.ident, text::field_twice(&argument.field));
            whole = false;
        }
    }
    whole.then_some(Input::Several(arguments))
}
