//! Several arguments as one message with those fields.
//!
//! The serde family gets named fields, so an argument with a default can be added later on either side. Protobuf gets
//! them by tag, as far as the tokens say what kind of field a type is.
//!
//! The message is generic over its fields, and its table of codecs comes out of a generic function whose bounds are those
//! of the fields: a missing one is then reported once, at the argument's type, and not in what a derive wrote.

mod protobuf;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Path;

pub(crate) use self::protobuf::check as check_prost;
use crate::{
    args::{Codec, Family},
    ast::{Argument, Input, Method, Service},
    names::type_text,
};

/// The name of the message of a method with several arguments.
pub(crate) fn ident(method: &Method) -> Ident {
    format_ident!("__{}Arguments", method.wire_name)
}

/// The message with the types of the arguments.
pub(crate) fn with_types(method: &Method) -> TokenStream {
    let (name, types) = (
        ident(method),
        method.arguments().iter().map(|argument| &argument.ty),
    );
    quote!(#name<#(#types),*>)
}

/// The struct and its table, for a method with several arguments.
pub(crate) fn items(service: &Service, method: &Method) -> Option<TokenStream> {
    let Input::Several(arguments) = &method.input else {
        return None;
    };
    let (cfg, name) = (&method.cfg, ident(method));
    let generics: Vec<_> = (0..arguments.len()).map(generic).collect();
    let with_serde = service.args.has(Family::Serde);
    let with_prost = service.args.has(Family::Prost);
    let serde = with_serde.then(|| serde(service));
    let prost = with_prost.then(|| quote!(#[derive(::core::default::Default)]));
    let fields = arguments.iter().zip(&generics).map(|(argument, generic)| {
        let ident = &argument.ident;
        let serde = with_serde.then(|| serde_field(argument));
        quote!(#serde #ident: #generic)
    });
    let message = with_prost.then(|| protobuf::message(service, method, arguments));
    let table = table(service, method, arguments);
    Some(quote! {
        #(#cfg)*
        #serde
        #prost
        struct #name<#(#generics),*> {
            #(#fields,)*
        }

        #message
        #table
    })
}

/// The call that makes the table, with the arguments' types in it.
pub(crate) fn table_call(method: &Method) -> TokenStream {
    let function = table_ident(method);
    let types = method.arguments().iter().map(|argument| &argument.ty);
    quote!(#function::<#(#types),*>())
}

fn table_ident(method: &Method) -> Ident {
    format_ident!("__codecs_{}", method.ident)
}

/// The function that makes the table, for fields of any type that fits.
fn table(service: &Service, method: &Method, arguments: &[Argument]) -> TokenStream {
    let krate = &service.args.krate;
    let (cfg, name, function) = (&method.cfg, ident(method), table_ident(method));
    let generics: Vec<_> = (0..arguments.len()).map(generic).collect();
    let bounds = arguments.iter().zip(&generics).map(|(argument, generic)| {
        let serde = service
            .args
            .has(Family::Serde)
            .then(|| quote!(#krate::__private::SerdeMessage));
        let default = argument
            .default
            .as_ref()
            .map(|_| quote!(::core::default::Default));
        let prost = service
            .args
            .has(Family::Prost)
            .then(|| protobuf::bound(service, argument));
        let bounds = [serde, default, prost].into_iter().flatten();
        quote!(#generic: #(#bounds)+*)
    });
    let message = quote!(#name<#(#generics),*>);
    let made = match &service.args.codecs {
        None => quote!(#krate::__private::default_codecs::<#message>()),
        Some(codecs) => {
            let calls = codecs.iter().map(|codec| {
                let (function, with) = entry(service, codec);
                let (function, path, with) = (format_ident!("{function}"), &codec.path, with.into_iter());
                quote!(#krate::__private::#function::<#message, #path #(, #with)*>())
            });
            quote!([#(#calls),*])
        }
    };
    quote! {
        #(#cfg)*
        const fn #function<#(#bounds),*>() -> [#krate::codec::MessageCodec<#message>; __CODECS.len()] {
            #made
        }
    }
}

/// The function that makes a table's entry of a codec, and the codec that it takes besides.
pub(crate) fn entry<'s>(service: &'s Service, codec: &Codec) -> (&'static str, Option<&'s Path>) {
    match service.args.field_codec() {
        Some(other) if other.path != codec.path => ("codec_and", Some(&other.path)),
        _ => ("codec", None),
    }
}

fn serde(service: &Service) -> TokenStream {
    let krate = &service.args.krate;
    let path: syn::Type = syn::parse_quote!(#krate::__private::serde);
    let path = type_text(&path);
    quote! {
        #[derive(#krate::__private::serde::Serialize, #krate::__private::serde::Deserialize)]
        #[serde(crate = #path)]
    }
}

fn serde_field(argument: &Argument) -> TokenStream {
    let Argument {
        ident,
        field,
        default,
        ..
    } = argument;
    let same = *ident == *field || *ident == format!("r#{field}");
    let rename = (!same).then(|| quote!(#[serde(rename = #field)]));
    let default = default.as_ref().map(|_| quote!(#[serde(default)]));
    quote!(#rename #default)
}

fn generic(i: usize) -> Ident {
    format_ident!("A{i}")
}
