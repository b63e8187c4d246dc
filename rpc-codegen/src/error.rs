//! `#[derive(rpc::ServiceError)]`: a user's enum to a status and back.
//!
//! The conversions are concrete: a blanket one would meet the user's own sooner or later. Fields travel as parameters of
//! `google.rpc.ErrorInfo`, which a peer in any language can read; a detail of our own type was rejected, as only we could.

mod expand;
mod parse;

use proc_macro2::{Ident, TokenStream};
use syn::{Attribute, DeriveInput, Path};

use crate::{errors::Errors, text};

/// The derive.
pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let item: DeriveInput = match syn::parse2(item) {
        Ok(item) => item,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let parsed = parse::error(&item, &mut errors);
    match (errors.into_tokens(), parsed) {
        (None, Some(error)) => expand::impls(&error),
        (Some(errors), parsed) => {
            // The conversions, such as they are: without them each use of the error is one more mistake.
            let krate = parsed.map_or_else(|| syn::parse_quote!(::rpc), |error| error.krate);
            let fallback = expand::fallback(&krate, &item);
            quote::quote!(#errors #fallback)
        }
        (None, None) => syn::Error::new_spanned(&item.ident, text::NOT_AN_ENUM).into_compile_error(),
    }
}

/// A user's error.
struct ServiceError {
    krate: Path,
    ident: Ident,
    domain: String,
    variants: Vec<Variant>,
    /// The catch-all.
    other: Other,
}

/// A failure that the service names.
struct Variant {
    cfg: Vec<Attribute>,
    ident: Ident,
    code: Ident,
    reason: String,
    fields: Fields,
}

enum Fields {
    Unit,
    /// `(T)`: its parameter is called `value`.
    Lone(Box<Field>),
    Named(Vec<Field>),
}

struct Field {
    /// `None` for a lone one.
    ident: Option<Ident>,
    /// The parameter's name.
    key: String,
    /// What is in the `Option`, or the type itself.
    ty: syn::Type,
    optional: bool,
    json: bool,
}

/// The variant for all other failures.
struct Other {
    ident: Ident,
    /// `None` for `Other(Status)`.
    field: Option<Ident>,
}
