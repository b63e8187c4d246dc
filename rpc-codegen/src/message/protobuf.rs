//! Which kind of field of a protobuf message an argument is, and the message made of them.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{GenericArgument, PathArguments, Type};

use super::{generic, ident};
use crate::{
    ast::{Argument, Method, Service},
    errors::Errors,
    parse::plain,
    text,
};

/// Checks that several arguments can be a protobuf message.
pub(crate) fn check(method: &Method, arguments: &[Argument], errors: &mut Errors) {
    let tags = tags(arguments);
    for (i, argument) in arguments.iter().enumerate() {
        if Kind::of(&argument.ty).is_none() {
            let message = format!("{}Request", method.wire_name);
            let fields = arguments
                .iter()
                .map(|argument| format!("{}: ...", argument.field))
                .collect::<Vec<_>>();
            errors.at(
                &argument.ty,
                text::not_a_prost_field(&method.ident, &message, &fields.join(", ")),
            );
        }
        if tags[..i].contains(&tags[i]) {
            match &argument.tag {
                Some((key, tag)) => errors.at(key, text::tag_twice(*tag)),
                None => errors.at(&argument.ident, text::tag_twice(tags[i])),
            }
        }
    }
}

/// `prost::Message` for the message of a method with several arguments.
pub(super) fn message(service: &Service, method: &Method, arguments: &[Argument]) -> TokenStream {
    let krate = &service.args.krate;
    let (cfg, name) = (&method.cfg, ident(method));
    let generics: Vec<_> = (0..arguments.len()).map(generic).collect();
    let kinds: Vec<_> = arguments.iter().map(|argument| kind(service, argument)).collect();
    let field = quote!(#krate::__private::protobuf::ProstField);
    let (idents, tags): (Vec<_>, Vec<_>) = arguments
        .iter()
        .map(|argument| &argument.ident)
        .zip(tags(arguments))
        .unzip();
    quote! {
        #(#cfg)*
        impl<#(#generics: #field<#kinds>),*> #krate::__private::prost::Message for #name<#(#generics),*> {
            fn encode_raw(&self, buf: &mut impl #krate::__private::protobuf::BufMut) {
                #(#field::<#kinds>::encode(&self.#idents, #tags, buf);)*
            }

            fn merge_field(
                &mut self,
                tag: u32,
                wire: #krate::__private::prost::encoding::WireType,
                buf: &mut impl #krate::__private::protobuf::Buf,
                context: #krate::__private::prost::encoding::DecodeContext,
            ) -> ::core::result::Result<(), #krate::__private::prost::DecodeError> {
                match tag {
                    #(#tags => #field::<#kinds>::merge(&mut self.#idents, wire, buf, context),)*
                    _ => #krate::__private::prost::encoding::skip_field(wire, tag, buf, context),
                }
            }

            fn encoded_len(&self) -> usize {
                0 #(+ #field::<#kinds>::encoded_len(&self.#idents, #tags))*
            }

            fn clear(&mut self) {
                *self = ::core::default::Default::default();
            }
        }
    }
}

/// What a field's type must have.
pub(super) fn bound(service: &Service, argument: &Argument) -> TokenStream {
    let (krate, kind) = (&service.args.krate, kind(service, argument));
    quote!(#krate::__private::protobuf::ProstField<#kind>)
}

fn kind(service: &Service, argument: &Argument) -> TokenStream {
    let krate = &service.args.krate;
    let path = quote!(#krate::__private::protobuf);
    let one = |is_scalar| {
        if is_scalar {
            quote!(#path::Scalar)
        } else {
            quote!(#path::Message)
        }
    };
    // Others were refused.
    match Kind::of(&argument.ty).unwrap_or(Kind {
        is_scalar: false,
        count: Count::One,
    }) {
        Kind {
            is_scalar,
            count: Count::One,
        } => one(is_scalar),
        Kind {
            is_scalar,
            count: Count::Optional,
        } => {
            let one = one(is_scalar);
            quote!(#path::Optional<#one>)
        }
        Kind {
            is_scalar,
            count: Count::Repeated,
        } => {
            let one = one(is_scalar);
            quote!(#path::Repeated<#one>)
        }
    }
}

/// The tag of each argument: its own, or its position from 1.
fn tags(arguments: &[Argument]) -> Vec<u32> {
    let own = |argument: &Argument| argument.tag.as_ref().map(|(_, tag)| *tag);
    arguments
        .iter()
        .zip(1..)
        .map(|(argument, position)| own(argument).unwrap_or(position))
        .collect()
}

/// What a type is in a protobuf message, as far as its name says.
#[derive(Clone, Copy)]
struct Kind {
    is_scalar: bool,
    count: Count,
}

#[derive(Clone, Copy)]
enum Count {
    One,
    Optional,
    Repeated,
}

impl Kind {
    /// `None` for what has no place there: maps and tuples, integers that protobuf does not have, nested lists.
    fn of(ty: &Type) -> Option<Self> {
        let (name, inner) = parts(ty)?;
        match (name.as_str(), inner) {
            ("Vec", Some(inner)) if !is(inner, "u8") => {
                Self::one(inner).map(|kind| kind.counted(Count::Repeated))
            }
            ("Option", Some(inner)) => Self::one(inner).map(|kind| kind.counted(Count::Optional)),
            _ => Self::one(ty),
        }
    }

    fn one(ty: &Type) -> Option<Self> {
        const SCALARS: &[&str] = &[
            "bool", "i32", "i64", "u32", "u64", "f32", "f64", "String", "Bytes",
        ];
        const NEITHER: &[&str] = &[
            "u8", "u16", "i8", "i16", "u128", "i128", "usize", "isize", "char", "str", "HashMap", "BTreeMap",
            "HashSet", "BTreeSet", "Arc", "Option", "Vec", "Result",
        ];

        let (name, inner) = parts(ty)?;
        let is_scalar = match (name.as_str(), inner) {
            (name, None) if SCALARS.contains(&name) => true,
            ("Vec", Some(inner)) if is(inner, "u8") => true,
            (name, _) if NEITHER.contains(&name) => return None,
            _ => false,
        };
        Some(Self {
            is_scalar,
            count: Count::One,
        })
    }

    fn counted(self, count: Count) -> Self {
        Self { count, ..self }
    }
}

fn is(ty: &Type, name: &str) -> bool {
    parts(ty).is_some_and(|(found, inner)| found == name && inner.is_none())
}

/// The name of a type without its path, and the type inside of its angle brackets if there is one.
fn parts(ty: &Type) -> Option<(String, Option<&Type>)> {
    let Type::Path(path) = plain(ty) else { return None };
    let segment = path.path.segments.last()?;
    let inner = match &segment.arguments {
        PathArguments::AngleBracketed(types) => types.args.iter().find_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        }),
        _ => None,
    };
    Some((segment.ident.to_string(), inner))
}
