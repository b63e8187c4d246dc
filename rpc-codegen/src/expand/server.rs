//! The server: an implementation as a `rpc::server::Service`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{Names, passed, signature};
use crate::ast::{Input, Method, Service};

/// The struct and its own functions.
pub(super) fn item(service: &Service) -> TokenStream {
    let Service { cfg, vis, ident, .. } = service;
    let server = Names::of(service).server;
    let doc = format!(
        "Answers calls with an implementation of [`{ident}`]: what a server is given. Clones share the implementation."
    );
    let name = server.to_string();
    quote! {
        #[doc = #doc]
        #(#cfg)*
        #[allow(dead_code)]
        #vis struct #server<T: ?::core::marker::Sized> {
            service: ::std::sync::Arc<T>,
        }

        #(#cfg)*
        #[allow(dead_code)]
        impl<T> #server<T> {
            /// Serves with that value.
            #[must_use]
            #vis fn new(service: T) -> Self {
                Self { service: ::std::sync::Arc::new(service) }
            }
        }

        #(#cfg)*
        #[allow(dead_code)]
        impl<T: ?::core::marker::Sized> #server<T> {
            /// Serves with a value that is used elsewhere too.
            #[must_use]
            #vis fn from_arc(service: ::std::sync::Arc<T>) -> Self {
                Self { service }
            }
        }

        #(#cfg)*
        impl<T: ?::core::marker::Sized> ::core::clone::Clone for #server<T> {
            fn clone(&self) -> Self {
                Self { service: ::core::clone::Clone::clone(&self.service) }
            }
        }

        #(#cfg)*
        impl<T: ?::core::marker::Sized> ::core::fmt::Debug for #server<T> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(#name)
            }
        }
    }
}

/// The service.
pub(super) fn impls(service: &Service) -> TokenStream {
    let (ident, krate) = (&service.ident, &service.args.krate);
    let server = Names::of(service).server;
    let arms = service.methods.iter().map(|method| arm(service, method));
    quote! {
        impl<__T: #ident + ?::core::marker::Sized> #krate::server::Service for #server<__T> {
            fn descriptor(&self) -> &'static #krate::ServiceDescriptor {
                &__SERVICE
            }

            fn call<'a>(
                &'a self,
                method: usize,
                call: &'a mut #krate::Call<'_>,
            ) -> #krate::CallFuture<'a> {
                match method {
                    #(#arms)*
                    _ => #krate::__private::no_such_method(call),
                }
            }
        }
    }
}

fn arm(service: &Service, method: &Method) -> TokenStream {
    let (trait_ident, krate) = (&service.ident, &service.args.krate);
    let Method { cfg, ident, .. } = method;
    let signature = signature(method);
    let answer = format_ident!(
        "{}",
        if method.output.wrapped {
            "answer_full"
        } else {
            "answer"
        }
    );
    let handler = quote!(<__T as #trait_ident>::#ident);
    // A handler that takes its message plainly is handed nothing of what came along.
    let (plain, full) = (
        format_ident!("{}", method.shape().ways()),
        format_ident!("{}", method.shape().function()),
    );
    let (plain, full) = (quote!(#krate::__private::#plain), quote!(#krate::server::#full));
    let (call, closure) = match &method.input {
        Input::None => (plain, quote!(|_, _| #signature.#answer(#handler(&self.service)))),
        Input::One { wrapped: true, .. } => (
            full,
            quote!(|request| #signature.#answer(#handler(&self.service, request))),
        ),
        Input::One { .. } => (
            plain,
            quote!(|message, _| #signature.#answer(#handler(&self.service, message))),
        ),
        Input::Several(_) => {
            let fields = passed(method);
            (
                plain,
                quote!(|message, _| #signature.#answer(#handler(&self.service, #(message.#fields),*))),
            )
        }
    };
    quote! {
        #(#cfg)*
        _ if method == __Method::#ident as usize => #call(#signature.types(), call, #closure),
    }
}
