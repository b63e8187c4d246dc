//! The stub.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{Names, head, passed, signature};
use crate::{
    ast::{Input, Method, Service},
    message,
};

/// The struct and its own functions.
pub(super) fn item(service: &Service) -> TokenStream {
    let Service {
        cfg,
        vis,
        ident,
        args,
        ..
    } = service;
    let krate = &args.krate;
    let client = Names::of(service).client;
    let doc = format!(
        "Calls [`{ident}`] over a channel: the stub, `{}` on the wire. Cheap to clone; clones share the channel.",
        service.full_name()
    );
    quote! {
        #[doc = #doc]
        #(#cfg)*
        #[allow(dead_code)]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #client {
            channel: #krate::Channel,
        }

        #(#cfg)*
        #[allow(dead_code)]
        impl #client {
            /// A stub that calls through a channel.
            #[must_use]
            #vis fn new(channel: impl ::core::convert::Into<#krate::Channel>) -> Self {
                Self { channel: ::core::convert::Into::into(channel) }
            }

            /// The same stub, with other options for the calls made through it.
            #[must_use]
            #vis fn with_options(&self, options: #krate::CallOptions) -> Self {
                Self { channel: self.channel.with_options(options) }
            }
        }
    }
}

/// The descriptor, and the trait.
pub(super) fn impls(service: &Service) -> TokenStream {
    let Service { vis, ident, args, .. } = service;
    let krate = &args.krate;
    let client = Names::of(service).client;
    let methods = service.methods.iter().map(|method| self::method(service, method));
    let doc = format!("What is known of [`{ident}`] before any call is made: its name and its methods.");
    quote! {
        impl #client {
            #[doc = #doc]
            #vis const DESCRIPTOR: &'static #krate::ServiceDescriptor = &__SERVICE;
        }

        impl #ident for #client {
            #(#methods)*
        }
    }
}

fn method(service: &Service, method: &Method) -> TokenStream {
    let krate = &service.args.krate;
    let (head, signature) = (head(method), signature(method));
    let call = format_ident!("{}", method.shape().function());
    let outcome = format_ident!("{}", if method.output.wrapped { "full" } else { "plain" });
    let request = request(service, method);
    quote! {
        #head {
            #signature.#outcome(#krate::client::#call(&self.channel, #signature.types(), #request))
        }
    }
}

/// The arguments as the request that goes through the channel.
fn request(service: &Service, method: &Method) -> TokenStream {
    let krate = &service.args.krate;
    match &method.input {
        Input::None => quote!(#krate::Request::new(#krate::__private::Empty {})),
        Input::One {
            argument,
            wrapped: true,
            ..
        } => {
            let ident = &argument.ident;
            quote!(#ident)
        }
        Input::One { argument, .. } => {
            let ident = &argument.ident;
            quote!(#krate::Request::new(#ident))
        }
        Input::Several(_) => {
            let (name, fields) = (message::ident(method), passed(method));
            quote!(#krate::Request::new(#name { #(#fields),* }))
        }
    }
}
