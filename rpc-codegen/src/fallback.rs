//! What stands beside errors.
//!
//! Without the trait and its types, each use of them would be one more error, and the first ones would be hard to find.
//! So there are types with the same names and functions, and a trait with the user's signatures as far as the compiler
//! accepts them; nothing of it can run, as the errors keep it from being built.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    FnArg, ItemTrait, Pat, ReturnType, TraitItem, TraitItemFn, TypeImplTrait, parse_quote,
    visit::{self, Visit},
};

use crate::{ast::Service, expand::Names};

/// The trait, and the types beside it.
pub(crate) fn items(service: &Service, mut item: ItemTrait) -> TokenStream {
    for item in &mut item.items {
        if let TraitItem::Fn(function) = item {
            soften(function);
        }
    }
    item.unsafety = None;
    item.auto_token = None;
    let own: [syn::TypeParamBound; 3] = [
        parse_quote!(::core::marker::Send),
        parse_quote!(::core::marker::Sync),
        parse_quote!('static),
    ];
    item.supertraits.extend(own);
    item.colon_token.get_or_insert_default();
    let types = types(service, &item);
    quote!(#item #types)
}

/// Makes of a method what the compiler accepts in any trait.
fn soften(function: &mut TraitItemFn) {
    let is_ours = |attr: &syn::Attribute| attr.path().is_ident("rpc");
    function.attrs.retain(|attr| !is_ours(attr));
    let sig = &mut function.sig;
    sig.constness = None;
    sig.unsafety = None;
    sig.abi = None;
    sig.variadic = None;
    for input in &mut sig.inputs {
        if let FnArg::Typed(typed) = input {
            typed.attrs.retain(|attr| !is_ours(attr));
            if !matches!(&*typed.pat, Pat::Ident(pat) if pat.mutability.is_none() && pat.by_ref.is_none() && pat.subpat.is_none())
                && function.default.is_none()
            {
                *typed.pat = parse_quote!(_);
            }
        }
    }
    if sig.asyncness.take().is_some() {
        let output = match &sig.output {
            ReturnType::Default => parse_quote!(()),
            ReturnType::Type(_, ty) => (**ty).clone(),
        };
        sig.output = parse_quote!(-> impl ::core::future::Future<Output = #output> + ::core::marker::Send);
        if let Some(block) = &function.default {
            function.default = Some(parse_quote!({ async move #block }));
        }
    }
}

fn types(service: &Service, item: &ItemTrait) -> TokenStream {
    let (krate, vis, cfg) = (&service.args.krate, &service.vis, &service.cfg);
    let Names {
        client,
        server,
        object,
        blocking,
    } = Names::of(service);
    let implemented = implemented(service, item);
    let object = service.args.object.then(
        || quote!(#(#cfg)* #vis trait #object: ::core::marker::Send + ::core::marker::Sync + 'static {}),
    );
    let blocking = service.args.blocking.then(|| {
        quote! {
            #(#cfg)*
            #[allow(dead_code)]
            #[derive(::core::clone::Clone, ::core::fmt::Debug)]
            #vis struct #blocking;

            #(#cfg)*
            #[allow(dead_code)]
            impl #blocking {
                #vis fn new(_: impl ::core::convert::Into<#krate::Channel>, _: &#krate::blocking::Blocking) -> Self {
                    Self
                }
            }
        }
    });
    quote! {
        #(#cfg)*
        #[allow(dead_code)]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #client;

        #(#cfg)*
        #[allow(dead_code)]
        impl #client {
            #vis fn new(_: impl ::core::convert::Into<#krate::Channel>) -> Self {
                Self
            }

            #vis fn with_options(&self, _: #krate::CallOptions) -> Self {
                Self
            }
        }

        #implemented

        #(#cfg)*
        #[allow(dead_code)]
        #vis struct #server<T: ?::core::marker::Sized>(::std::sync::Arc<T>);

        #(#cfg)*
        #[allow(dead_code)]
        impl<T> #server<T> {
            #vis fn new(service: T) -> Self {
                Self(::std::sync::Arc::new(service))
            }
        }

        #(#cfg)*
        #[allow(dead_code)]
        impl<T: ?::core::marker::Sized> #server<T> {
            #vis fn from_arc(service: ::std::sync::Arc<T>) -> Self {
                Self(service)
            }
        }

        #(#cfg)*
        impl<T: ?::core::marker::Sized + ::core::marker::Send + ::core::marker::Sync + 'static> #krate::server::Service
            for #server<T>
        {
            fn descriptor(&self) -> &'static #krate::ServiceDescriptor {
                ::core::unimplemented!()
            }

            fn call<'a>(
                &'a self,
                _: usize,
                _: &'a mut #krate::Call<'_>,
            ) -> #krate::CallFuture<'a> {
                ::core::unimplemented!()
            }
        }

        #object
        #blocking
    }
}

fn methods_of(item: &ItemTrait) -> impl Iterator<Item = &TraitItemFn> {
    item.items.iter().filter_map(|item| match item {
        TraitItem::Fn(function) => Some(function),
        _ => None,
    })
}

/// True for `impl Future<Output = Result<impl Trait>>`, which no body here can be.
fn returns_impl(function: &TraitItemFn) -> bool {
    let ReturnType::Type(_, ty) = &function.sig.output else {
        return false;
    };
    let mut count = CountImpls(0);
    count.visit_type(ty);
    count.0 > 1
}

struct CountImpls(usize);

impl<'ast> Visit<'ast> for CountImpls {
    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        self.0 += 1;
        visit::visit_type_impl_trait(self, ty);
    }
}

/// The trait for the stub, where the trait has nothing but methods.
fn implemented(service: &Service, item: &ItemTrait) -> Option<TokenStream> {
    let only_methods = item.items.iter().all(|item| matches!(item, TraitItem::Fn(_)));
    if !only_methods
        || methods_of(item).any(returns_impl)
        || !item.generics.params.is_empty()
        || item.generics.where_clause.is_some()
    {
        return None;
    }
    let (cfg, ident) = (&service.cfg, &service.ident);
    let client = Names::of(service).client;
    let methods = methods_of(item).map(|function| {
        let mut sig = function.sig.clone();
        for input in &mut sig.inputs {
            if let FnArg::Typed(typed) = input {
                *typed.pat = parse_quote!(_);
            }
        }
        let cfg = function.attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
        let body = match &sig.output {
            ReturnType::Type(_, ty) if matches!(**ty, syn::Type::ImplTrait(_)) => {
                quote!({ ::core::future::pending() })
            }
            _ => quote!({ ::core::unimplemented!() }),
        };
        quote!(#(#cfg)* #sig #body)
    });
    Some(quote! {
        #(#cfg)*
        impl #ident for #client {
            #(#methods)*
        }
    })
}
