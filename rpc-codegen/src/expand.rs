//! The generated items, one file each.
//!
//! What a user must be able to name, the trait and the types made from it, stands beside the trait. All else is inside of
//! `const _: () = { ... }`, so that nothing leaks into the user's module. Generated names in there begin with `__`, and
//! every path begins at the crate (`::rpc` unless it was renamed) or at `::core` and `::std`, so that nothing that the user
//! has defined or left out of the prelude is picked up.
//!
//! Statics and the variants that number the methods are named after the functions, as they are written: two functions
//! cannot have one name, while two spellings of it in capitals can be the same. What is named after a function begins with a
//! word of its own, so that no function's name makes another generated one of it.

mod blocking;
mod client;
mod descriptor;
mod object;
mod server;
mod shared;
mod trait_item;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::Item;

use crate::{
    args::Args,
    ast::{Method, Service},
    check,
    errors::Errors,
    fallback, message, parse, text,
};

/// `#[rpc::service]`.
pub(crate) fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    let item = match syn::parse2(item) {
        Ok(Item::Trait(item)) => item,
        Ok(other) => {
            let error = syn::Error::new_spanned(&other, text::NOT_A_TRAIT).into_compile_error();
            return quote!(#error #other);
        }
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let args = Args::parse(args, &item.ident, &mut errors);
    let service = parse::service(args, &item, &mut errors);
    check::service(&service, &mut errors);
    match errors.into_tokens() {
        None => all(&service),
        Some(errors) => {
            let fallback = fallback::items(&service, item);
            quote!(#errors #fallback)
        }
    }
}

fn all(service: &Service) -> TokenStream {
    let named = [
        trait_item::item(service),
        client::item(service),
        server::item(service),
        object::item(service).into_token_stream(),
        blocking::item(service).into_token_stream(),
    ];
    let messages = service
        .methods
        .iter()
        .filter_map(|method| message::items(service, method));
    let descriptor = descriptor::items(service);
    let impls = [
        client::impls(service),
        server::impls(service),
        shared::impls(service),
        object::impls(service).into_token_stream(),
    ];
    let (cfg, krate) = (&service.cfg, &service.args.krate);
    quote! {
        #(#named)*

        #(#cfg)*
        #[allow(non_upper_case_globals, non_camel_case_types, dead_code, deprecated, clippy::all, clippy::pedantic)]
        const _: () = {
            #[allow(unused_imports)]
            use #krate::__private::AnyKind as _;

            #(#messages)*
            #descriptor
            #(#impls)*
        };
    }
}

/// The names of what stands beside the trait.
pub(crate) struct Names {
    pub(crate) client: Ident,
    pub(crate) server: Ident,
    pub(crate) object: Ident,
    pub(crate) blocking: Ident,
}

impl Names {
    pub(crate) fn of(service: &Service) -> Self {
        let ident = &service.ident;
        Self {
            client: format_ident!("{ident}Client"),
            server: format_ident!("{ident}Server"),
            object: format_ident!("{ident}Dyn"),
            blocking: format_ident!("{ident}BlockingClient"),
        }
    }
}

/// The head of a method as the trait declares it, for an implementation.
fn head(method: &Method) -> TokenStream {
    let (cfg, ident, ty) = (&method.cfg, &method.ident, &method.output.ty);
    let arguments = method.arguments().iter().map(crate::ast::Argument::declared);
    quote! {
        #(#cfg)*
        fn #ident(&self, #(#arguments),*) -> impl ::core::future::Future<Output = #ty> + ::core::marker::Send
    }
}

/// The names of a method's arguments, as they are passed on.
fn passed(method: &Method) -> impl Iterator<Item = &Ident> {
    method.arguments().iter().map(|argument| &argument.ident)
}

/// The static of a method.
fn signature(method: &Method) -> Ident {
    format_ident!("__method_{}", method.ident)
}
