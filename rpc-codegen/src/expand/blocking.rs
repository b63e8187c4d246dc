//! The blocking twin of the stub, for callers without a runtime.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{Names, passed};
use crate::ast::{Argument, Method, Output, Service};

/// The twin, if it was asked for.
pub(super) fn item(service: &Service) -> Option<TokenStream> {
    let Service {
        cfg,
        vis,
        ident,
        args,
        ..
    } = service;
    let krate = &args.krate;
    let Names { client, blocking, .. } = Names::of(service);
    let doc = format!(
        "Calls [`{ident}`] from threads without a runtime: the methods of [`{ident}`], each of which returns when the call is done."
    );
    let methods = service.methods.iter().map(|method| self::method(service, method));
    args.blocking.then(|| {
        quote! {
            #[doc = #doc]
            #(#cfg)*
            #[allow(dead_code)]
            #[derive(::core::clone::Clone, ::core::fmt::Debug)]
            #vis struct #blocking {
                client: #client,
                runtime: #krate::blocking::Blocking,
            }

            #(#cfg)*
            #[allow(dead_code, deprecated, clippy::too_many_arguments)]
            impl #blocking {
                /// A stub that calls through a channel which was built in that runtime.
                #[must_use]
                #vis fn new(
                    channel: impl ::core::convert::Into<#krate::Channel>,
                    runtime: &#krate::blocking::Blocking,
                ) -> Self {
                    Self { client: #client::new(channel), runtime: ::core::clone::Clone::clone(runtime) }
                }

                /// The same stub, with other options for the calls made through it.
                #[must_use]
                #vis fn with_options(&self, options: #krate::CallOptions) -> Self {
                    Self {
                        client: self.client.with_options(options),
                        runtime: ::core::clone::Clone::clone(&self.runtime),
                    }
                }

                #(#methods)*
            }
        }
    })
}

fn method(service: &Service, method: &Method) -> TokenStream {
    let (trait_ident, vis) = (&service.ident, &service.vis);
    let Method { cfg, docs, ident, .. } = method;
    let arguments = method.arguments().iter().map(Argument::declared);
    let passed = passed(method);
    let (call, ty) = outcome(service, &method.output);
    let doc = docs.is_empty().then(|| {
        let doc = format!("Calls `{}`, and returns when it is done.", method.wire_name);
        quote!(#[doc = #doc])
    });
    let errors = format!("As of [`{trait_ident}::{ident}`]; and `FAILED_PRECONDITION` inside of async code.");
    quote! {
        #(#cfg)*
        #(#docs)*
        #doc
        ///
        /// # Errors
        #[doc = #errors]
        #vis fn #ident(&self, #(#arguments),*) -> #ty {
            self.runtime.#call(|| #trait_ident::#ident(&self.client, #(#passed),*))
        }
    }
}

/// The function of `Blocking`, and the type with streams as iterators.
fn outcome(service: &Service, output: &Output) -> (TokenStream, TokenStream) {
    let krate = &service.args.krate;
    let Output {
        ty,
        inner,
        wrapped,
        streaming,
        ..
    } = output;
    if !streaming {
        return (quote!(call), quote!(#ty));
    }
    let messages = quote!(#krate::blocking::Messages<#inner>);
    let (call, ok) = if *wrapped {
        ("call_stream_response", quote!(#krate::Response<#messages>))
    } else {
        ("call_stream", messages)
    };
    let call = format_ident!("{call}");
    (
        quote!(#call),
        quote!(::core::result::Result<#ok, <#ty as #krate::__private::Returns>::Error>),
    )
}
