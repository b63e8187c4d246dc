//! From `syn`'s enum to our error.

use proc_macro2::Ident;
use syn::{Data, DeriveInput, GenericArgument, LitStr, PathArguments, Type, parse::ParseStream};

use super::{Field, Fields, Other, ServiceError, Variant};
use crate::{args, attr, errors::Errors, names, parse::plain, text};

/// Reads the enum; `None` if nothing can be made of it.
pub(super) fn error(item: &DeriveInput, errors: &mut Errors) -> Option<ServiceError> {
    let Data::Enum(data) = &item.data else {
        errors.at(&item.ident, text::NOT_AN_ENUM);
        return None;
    };
    if !item.generics.params.is_empty() {
        errors.at(&item.generics, text::ERROR_GENERIC);
    }
    let (domain, krate) = head(item, errors);
    let mut variants: Vec<Variant> = Vec::new();
    let mut other = None;
    for variant in &data.variants {
        let said = VariantAttr::of(variant, errors);
        if let Some(mark) = &said.other {
            if said.code.is_some() || said.reason.is_some() {
                errors.at(&variant.ident, text::OTHER_KEYS);
            }
            if other.is_some() {
                errors.at(mark, text::OTHER_TWICE);
            }
            other = Some(catch_all(variant, errors));
            continue;
        }
        if let Some(variant) = failure(variant, said, errors) {
            if let Some(same) = variants
                .iter()
                .find(|same| same.reason == variant.reason && same.cfg.is_empty())
            {
                errors.at(&variant.ident, text::reason_twice(&variant.reason, &same.ident));
            }
            variants.push(variant);
        }
    }
    if other.is_none() {
        errors.at(&item.ident, text::OTHER_MISSING);
    }
    Some(ServiceError {
        krate,
        ident: item.ident.clone(),
        domain,
        variants,
        other: other.flatten().unwrap_or_else(|| Other {
            ident: item.ident.clone(),
            field: None,
        }),
    })
}

/// Domain and crate. The domain is pushed if it is missing.
fn head(item: &DeriveInput, errors: &mut Errors) -> (String, syn::Path) {
    let keys = ("an error", text::ENUM_KEYS);
    let mut domain: Option<LitStr> = None;
    let mut domain_seen = false;
    let mut krate = syn::parse_quote!(::rpc);
    attr::take(&mut item.attrs.clone(), keys, errors, |key, input| {
        match key.to_string().as_str() {
            "domain" => {
                domain_seen = true;
                let given = attr::quoted(key, input, "domain = \"shop.v1\"")?;
                if given.value().trim().is_empty() {
                    return Err(syn::Error::new(given.span(), text::DOMAIN_EMPTY));
                }
                domain = Some(given);
                Ok(())
            }
            "crate" => args::krate(key, input).map(|path| krate = path),
            _ => attr::unknown(key, keys),
        }
    });
    if !domain_seen {
        errors.at(&item.ident, text::DOMAIN_MISSING);
    }
    (domain.map(|domain| domain.value()).unwrap_or_default(), krate)
}

#[derive(Default)]
struct VariantAttr {
    code: Option<Ident>,
    reason: Option<LitStr>,
    other: Option<Ident>,
    /// Something was said that is wrong: what is missing may be in there.
    failed: bool,
}

impl VariantAttr {
    fn of(variant: &syn::Variant, errors: &mut Errors) -> Self {
        let keys = ("a variant", text::VARIANT_KEYS);
        let mut said = Self::default();
        attr::take(&mut variant.attrs.clone(), keys, errors, |key, input| {
            let read = match key.to_string().as_str() {
                "code" => code(key, input).map(|code| said.code = Some(code)),
                "reason" => reason(key, input).map(|reason| said.reason = Some(reason)),
                "other" => attr::flag(key, input).map(|()| said.other = Some(key.clone())),
                _ => attr::unknown(key, keys),
            };
            said.failed |= read.is_err();
            read
        });
        said
    }
}

fn code(key: &Ident, input: ParseStream<'_>) -> syn::Result<Ident> {
    attr::equals(key, input, "code = NotFound")?;
    let given: syn::Expr = input.parse()?;
    let name = match &given {
        syn::Expr::Path(path) => path.path.segments.last().map(|last| last.ident.clone()),
        _ => None,
    };
    name.filter(|name| text::CODE_NAMES.iter().any(|code| name == code))
        .ok_or_else(|| syn::Error::new_spanned(&given, text::code_unknown(quote::quote!(#given))))
}

fn reason(key: &Ident, input: ParseStream<'_>) -> syn::Result<LitStr> {
    let reason = attr::quoted(key, input, "reason = \"SKU_UNKNOWN\"")?;
    if names::is_reason(&reason.value()) {
        return Ok(reason);
    }
    Err(syn::Error::new(reason.span(), text::bad_reason(&reason.value())))
}

fn failure(variant: &syn::Variant, said: VariantAttr, errors: &mut Errors) -> Option<Variant> {
    let fields = fields(variant, errors);
    let Some(code) = said.code else {
        if !said.failed {
            errors.at(&variant.ident, text::code_missing(&variant.ident));
        }
        return None;
    };
    let reason = said
        .reason
        .map_or_else(|| names::upper_snake(&variant.ident), |reason| reason.value());
    if !names::is_reason(&reason) {
        errors.at(&variant.ident, text::bad_reason(&reason));
    }
    Some(Variant {
        cfg: variant
            .attrs
            .iter()
            .filter(|attr| attr.path().is_ident("cfg"))
            .cloned()
            .collect(),
        ident: variant.ident.clone(),
        code,
        reason,
        fields: fields?,
    })
}

fn fields(variant: &syn::Variant, errors: &mut Errors) -> Option<Fields> {
    match &variant.fields {
        syn::Fields::Unit => Some(Fields::Unit),
        syn::Fields::Unnamed(list) if list.unnamed.len() == 1 => list
            .unnamed
            .first()
            .map(|only| Fields::Lone(Box::new(field(only, errors)))),
        syn::Fields::Unnamed(list) if list.unnamed.is_empty() => Some(Fields::Named(Vec::new())),
        syn::Fields::Unnamed(list) => {
            errors.at(list, text::fields_unnamed(&variant.ident));
            None
        }
        syn::Fields::Named(list) => Some(Fields::Named(
            list.named.iter().map(|each| field(each, errors)).collect(),
        )),
    }
}

fn field(field: &syn::Field, errors: &mut Errors) -> Field {
    let keys = ("a field", text::FIELD_KEYS);
    let mut json = false;
    attr::take(&mut field.attrs.clone(), keys, errors, |key, input| {
        match key.to_string().as_str() {
            "json" => attr::flag(key, input).map(|()| json = true),
            _ => attr::unknown(key, keys),
        }
    });
    let inner = optional(&field.ty);
    Field {
        key: field
            .ident
            .as_ref()
            .map_or_else(|| "value".to_owned(), names::field),
        ident: field.ident.clone(),
        ty: inner.unwrap_or(&field.ty).clone(),
        optional: inner.is_some(),
        json,
    }
}

fn optional(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = plain(ty) else { return None };
    let option = path
        .path
        .segments
        .last()
        .filter(|segment| segment.ident == "Option")?;
    let PathArguments::AngleBracketed(types) = &option.arguments else {
        return None;
    };
    match types.args.first() {
        Some(GenericArgument::Type(inner)) => Some(inner),
        _ => None,
    }
}

/// The variant that holds a status; `None` if it holds something else.
fn catch_all(variant: &syn::Variant, errors: &mut Errors) -> Option<Other> {
    for attr in variant.fields.iter().flat_map(|field| &field.attrs) {
        if attr.path().is_ident("from") {
            errors.at(attr, text::FROM_TWICE);
        }
    }
    let mut fields = variant.fields.iter();
    if let (Some(only), None) = (fields.next(), fields.next()) {
        return Some(Other {
            ident: variant.ident.clone(),
            field: only.ident.clone(),
        });
    }
    errors.at(variant, text::OTHER_FORM);
    None
}
