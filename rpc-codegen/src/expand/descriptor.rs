//! What is known before any call: the descriptor, and the static of each method with its types.
//!
//! Each message type has one table of codecs, however many methods share it. The table is where the compiler checks that
//! the message fits the codecs, so each check stands once, with the user's type as its place.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::Path;

use super::signature;
use crate::{
    ast::{Input, Method, Output, Service},
    message,
    place::Place,
};

/// All statics.
pub(super) fn items(service: &Service) -> TokenStream {
    let krate = &service.args.krate;
    let codecs = match &service.args.codecs {
        None => quote!(#krate::__private::DEFAULT_CODECS),
        Some(codecs) => {
            let paths = codecs.iter().map(|codec| &codec.path);
            quote!(&[#(<#paths as #krate::codec::Codec>::NAME),*])
        }
    };
    let numbers = service
        .methods
        .iter()
        .map(|Method { cfg, ident, .. }| quote!(#(#cfg)* #ident));
    let name = service.full_name();
    let set = service
        .args
        .file_descriptor_set
        .as_ref()
        .map(|set| quote!(.with_file_descriptor_set(#set)));
    let mut tables = Tables {
        service,
        seen: Vec::new(),
        items: TokenStream::new(),
    };
    let signatures: Vec<_> = service
        .methods
        .iter()
        .map(|method| tables.signature(method))
        .collect();
    let methods: Vec<_> = service
        .methods
        .iter()
        .map(|method| descriptor(service, method, &mut tables))
        .collect();
    let tables = tables.items;
    quote! {
        enum __Method {
            #(#numbers,)*
        }

        const __CODECS: &[&str] = #codecs;
        static __METHODS: &[#krate::MethodDescriptor] = &[#(#methods,)*];
        static __SERVICE: #krate::ServiceDescriptor = #krate::ServiceDescriptor::new(#name, __METHODS)#set;

        #tables
        #(#signatures)*
    }
}

fn descriptor(service: &Service, method: &Method, tables: &mut Tables<'_>) -> TokenStream {
    let krate = &service.args.krate;
    let cfg = &method.cfg;
    let path = format!("/{}/{}", service.full_name(), method.wire_name);
    let shape = format_ident!("{}", method.shape().variant());
    let idempotent = method.idempotent.then(|| quote!(.idempotent()));
    let timeout = method.timeout.map(|timeout| {
        // Checked when it was read: at most a year.
        let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        quote!(.timeout(::core::time::Duration::from_nanos(#nanos)))
    });
    let descriptor = quote! {
        #krate::MethodDescriptor::new(#path, #krate::Shape::#shape).codecs(__CODECS)#idempotent #timeout
    };
    if matches!(method.input, Input::One { streaming: true, .. }) {
        return quote!(#(#cfg)* #descriptor);
    }
    let table = tables.table(method, &Message::request(krate, method));
    quote!(#(#cfg)* #krate::__private::with_fields(#descriptor, #table))
}

/// The tables made so far.
struct Tables<'a> {
    service: &'a Service,
    /// The tokens of type and `cfg`, and the table's name.
    seen: Vec<(String, Ident)>,
    items: TokenStream,
}

impl Tables<'_> {
    /// The static of a method.
    fn signature(&mut self, method: &Method) -> TokenStream {
        let krate = &self.service.args.krate;
        let Method {
            cfg, ident, output, ..
        } = method;
        let (request, response) = (Message::request(krate, method), Message::response(krate, output));
        let (request_table, response_table) = (self.table(method, &request), self.table(method, &response));
        let (request, response) = (request.ty, response.ty);
        let shown_error = Place::of(&output.shown_error);
        let error = shown_error.projection(&output.ty, &quote!(#krate::__private::Returns), "Error");
        let name = signature(method);
        let new = shown_error.call(&quote!(#krate::__private), "signature");
        quote! {
            #(#cfg)*
            static #name: #krate::__private::Signature<#request, #response, #error> =
                #new::<_, _, #error>(&__METHODS[__Method::#ident as usize], #request_table, #response_table);
        }
    }

    /// The name of the table of a message, which is made if it is new.
    fn table(&mut self, method: &Method, message: &Message) -> Ident {
        let (krate, cfg, ty) = (&self.service.args.krate, &method.cfg, &message.ty);
        let key = quote!(#ty #(#cfg)*).to_string();
        if let Some((_, name)) = self.seen.iter().find(|(seen, _)| *seen == key) {
            return name.clone();
        }
        let name = format_ident!("__TABLE_{}", self.seen.len());
        let table = message.table(self.service, method);
        self.items.extend(quote! {
            #(#cfg)*
            static #name: &[#krate::codec::MessageCodec<#ty>] = &#table;
        });
        self.seen.push((key, name.clone()));
        name
    }
}

/// A message of a method.
struct Message {
    ty: TokenStream,
    /// The fields of one, for which there is a function that makes their table.
    is_arguments: bool,
    /// Where to show what is wrong with it.
    shown: Place,
}

impl Message {
    fn request(krate: &Path, method: &Method) -> Self {
        let shown = Place::at(method.ident.span());
        match &method.input {
            Input::None => Self {
                ty: quote!(#krate::__private::Empty),
                is_arguments: false,
                shown,
            },
            Input::Several(_) => Self {
                ty: message::with_types(method),
                is_arguments: true,
                shown,
            },
            Input::One { message, .. } => Self {
                ty: message.to_token_stream(),
                is_arguments: false,
                shown: Place::of(message),
            },
        }
    }

    fn response(krate: &Path, output: &Output) -> Self {
        let shown = Place::of(&output.shown);
        let ty = match &output.inner {
            Some(inner) => inner.to_token_stream(),
            None => shown.projection(&output.ty, &quote!(#krate::__private::Returns), "Ok"),
        };
        Self {
            ty,
            is_arguments: false,
            shown,
        }
    }

    /// The expression that makes the table.
    fn table(&self, service: &Service, method: &Method) -> TokenStream {
        let Self {
            ty,
            is_arguments,
            shown,
        } = self;
        if *is_arguments {
            return message::table_call(method);
        }
        let krate = &service.args.krate;
        let kind = shown.moved(quote!(#krate::__private::Kind));
        let kind = shown.constant(&quote!(#kind::<#ty>), "OF");
        let Some(codecs) = &service.args.codecs else {
            return shown.method(&kind, "default_codecs", &TokenStream::new());
        };
        let calls = codecs.iter().map(|codec| {
            let (function, with) = message::entry(service, codec);
            let paths = [Some(&codec.path), with];
            let paths = paths
                .into_iter()
                .flatten()
                .map(|path| shown.moved(path.to_token_stream()));
            shown.method(&kind, function, &quote!(::<#(#paths),*>))
        });
        quote!([#(#calls),*])
    }
}
