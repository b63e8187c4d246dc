//! The object-safe twin: `Arc<dyn InventoryDyn>` is an `Inventory`.
//!
//! Its methods carry hidden names, and the trait itself is implemented for `dyn InventoryDyn`: a call by the trait's names
//! is never ambiguous, whichever of the two traits is imported.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::{Names, head, passed};
use crate::ast::{Argument, Method, Service};

/// The twin, if it was asked for.
pub(super) fn item(service: &Service) -> Option<TokenStream> {
    let Service {
        cfg,
        vis,
        ident,
        supertraits,
        ..
    } = service;
    let supertraits = supertraits.iter();
    let object = Names::of(service).object;
    let doc = format!(
        "The object-safe twin of [`{ident}`]. Everything that is a [`{ident}`] is one, and `dyn {object}` is a [`{ident}`] in turn."
    );
    let methods = service.methods.iter().map(|method| hidden_head(service, method));
    service.args.object.then(|| {
        quote! {
            #[doc = #doc]
            #(#cfg)*
            #[allow(clippy::too_many_arguments)]
            #vis trait #object: #(#supertraits +)* ::core::marker::Send + ::core::marker::Sync + 'static {
                #(#[doc(hidden)] #methods;)*
            }
        }
    })
}

/// The implementations both ways.
pub(super) fn impls(service: &Service) -> Option<TokenStream> {
    let ident = &service.ident;
    let object = Names::of(service).object;
    let erased = service.methods.iter().map(|method| {
        let (hidden, name, arguments) = (hidden_head(service, method), &method.ident, passed(method));
        quote!(#hidden { ::std::boxed::Box::pin(<__T as #ident>::#name(self, #(#arguments),*)) })
    });
    let methods = service.methods.iter().map(|method| {
        let (head, hidden, arguments) = (head(method), hidden(method), passed(method));
        quote!(#head { #object::#hidden(self, #(#arguments),*) })
    });
    service.args.object.then(|| {
        quote! {
            impl<__T: #ident> #object for __T {
                #(#erased)*
            }

            impl #ident for dyn #object {
                #(#methods)*
            }
        }
    })
}

fn hidden(method: &Method) -> Ident {
    format_ident!("__{}", method.ident)
}

fn hidden_head(service: &Service, method: &Method) -> TokenStream {
    let krate = &service.args.krate;
    let (cfg, ident, ty) = (&method.cfg, hidden(method), &method.output.ty);
    let arguments = method.arguments().iter().map(Argument::declared);
    quote! {
        #(#cfg)*
        fn #ident(&self, #(#arguments),*) -> #krate::BoxFuture<'_, #ty>
    }
}
