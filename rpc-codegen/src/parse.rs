//! From `syn`'s trait to our service. What a service cannot have is pushed here, at its token, and left out.

mod input;
mod output;
mod types;

use syn::{Attribute, ItemTrait, Signature, TraitItem, TraitItemFn};

pub(crate) use self::types::plain;
use crate::{
    args::Args,
    ast::{Method, Service},
    attr::MethodAttr,
    errors::Errors,
    names, text,
};

/// Reads a trait.
pub(crate) fn service(args: Args, item: &ItemTrait, errors: &mut Errors) -> Service {
    trait_itself(item, errors);
    let methods = item
        .items
        .iter()
        .filter_map(|item| trait_item(item, errors))
        .collect();
    Service {
        args,
        attrs: item.attrs.clone(),
        cfg: named(&item.attrs, "cfg"),
        vis: item.vis.clone(),
        ident: item.ident.clone(),
        supertraits: item.supertraits.clone(),
        methods,
    }
}

fn trait_itself(item: &ItemTrait, errors: &mut Errors) {
    if !item.generics.params.is_empty() {
        errors.at(&item.generics, text::TRAIT_GENERIC);
    }
    if let Some(clause) = &item.generics.where_clause {
        errors.at(clause, text::TRAIT_WHERE);
    }
    if let Some(token) = &item.unsafety {
        errors.at(token, text::TRAIT_UNSAFE);
    }
    if let Some(token) = &item.auto_token {
        errors.at(token, text::TRAIT_AUTO);
    }
}

fn trait_item(item: &TraitItem, errors: &mut Errors) -> Option<Method> {
    match item {
        TraitItem::Fn(function) => return method(function, errors),
        TraitItem::Const(item) => errors.at(item.const_token, text::trait_item("constants")),
        TraitItem::Type(item) => errors.at(item.type_token, text::trait_item("associated types")),
        TraitItem::Macro(item) => errors.at(&item.mac.path, text::trait_item("macros")),
        other => errors.at(other, text::trait_item("other items")),
    }
    None
}

fn method(function: &TraitItemFn, errors: &mut Errors) -> Option<Method> {
    let mut attrs = function.attrs.clone();
    let said = MethodAttr::take(&mut attrs, errors);
    let ident = &function.sig.ident;
    qualifiers(&function.sig, errors);
    let input = input::read(function, errors);
    let output = output::read(&function.sig, errors);
    Some(Method {
        cfg: named(&attrs, "cfg"),
        docs: named(&attrs, "doc"),
        attrs,
        wire_name: said
            .name
            .map_or_else(|| names::upper_camel(ident), |name| name.value()),
        idempotent: said.idempotent,
        timeout: said.timeout,
        ident: ident.clone(),
        input: input?,
        output: output?,
        default: function.default.clone(),
    })
}

/// What stands before the arguments of a method.
fn qualifiers(sig: &Signature, errors: &mut Errors) {
    let ident = &sig.ident;
    if let Some(token) = &sig.constness {
        errors.at(token, text::method_qualifier(ident, "const"));
    }
    if let Some(token) = &sig.unsafety {
        errors.at(token, text::method_qualifier(ident, "unsafe"));
    }
    if let Some(abi) = &sig.abi {
        errors.at(abi, text::method_qualifier(ident, "extern"));
    }
    if sig.asyncness.is_none() {
        errors.at(sig.fn_token, text::method_not_async(ident));
    }
    if !sig.generics.params.is_empty() {
        errors.at(&sig.generics, text::method_generic(ident));
    }
    if let Some(clause) = &sig.generics.where_clause {
        errors.at(clause, text::method_where(ident));
    }
    if let Some(variadic) = &sig.variadic {
        errors.at(variadic, text::method_variadic(ident));
    }
}

fn named(attrs: &[Attribute], name: &str) -> Vec<Attribute> {
    attrs
        .iter()
        .filter(|attr| attr.path().is_ident(name))
        .cloned()
        .collect()
}
