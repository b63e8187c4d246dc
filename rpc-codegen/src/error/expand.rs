//! The two conversions.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{DeriveInput, Path, Type};

use super::{Field, Fields, Other, ServiceError, Variant};
use crate::{parse::plain, place::Place};

/// Both.
pub(super) fn impls(error: &ServiceError) -> TokenStream {
    let ServiceError {
        krate,
        ident,
        domain,
        variants,
        other,
    } = error;
    let fields = fields(error);
    let to = variants
        .iter()
        .enumerate()
        .map(|(v, variant)| to_status(error, v, variant));
    let from = variants
        .iter()
        .enumerate()
        .map(|(v, variant)| from_status(v, variant));
    let (other_pattern, other_value) = catch_all(other);
    quote! {
        const _: () = {
            const __DOMAIN: &str = #domain;
            #fields

            impl ::core::convert::From<#ident> for #krate::Status {
                fn from(error: #ident) -> Self {
                    let text = ::std::string::ToString::to_string(&error);
                    match error {
                        #(#to)*
                        #ident::#other_pattern => status,
                    }
                }
            }

            impl ::core::convert::From<#krate::Status> for #ident {
                fn from(status: #krate::Status) -> Self {
                    if status.domain() != ::core::option::Option::Some(__DOMAIN) {
                        return Self::#other_value;
                    }
                    let variant = (|| match status.reason()? {
                        #(#from)*
                        _ => ::core::option::Option::None,
                    })();
                    match variant {
                        ::core::option::Option::Some(variant) => variant,
                        ::core::option::Option::None => Self::#other_value,
                    }
                }
            }
        };
    }
}

/// Conversions that type-check, beside errors.
pub(super) fn fallback(krate: &Path, item: &DeriveInput) -> TokenStream {
    let ident = &item.ident;
    let (impl_generics, ty_generics, where_clause) = item.generics.split_for_impl();
    let from = (!has_from_status(item)).then(|| {
        quote! {
            impl #impl_generics ::core::convert::From<#krate::Status> for #ident #ty_generics #where_clause {
                fn from(_: #krate::Status) -> Self {
                    ::core::unimplemented!()
                }
            }
        }
    });
    quote! {
        impl #impl_generics ::core::convert::From<#ident #ty_generics> for #krate::Status #where_clause {
            fn from(_: #ident #ty_generics) -> Self {
                ::core::unimplemented!()
            }
        }

        #from
    }
}

/// True if another derive writes `From<Status>`: that was reported already.
fn has_from_status(item: &DeriveInput) -> bool {
    let syn::Data::Enum(data) = &item.data else {
        return false;
    };
    let is_status = |ty: &Type| match plain(ty) {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "Status"),
        _ => false,
    };
    let mut fields = data.variants.iter().flat_map(|variant| &variant.fields);
    fields.any(|field| is_status(&field.ty) && field.attrs.iter().any(|attr| attr.path().is_ident("from")))
}

fn catch_all(other: &Other) -> (TokenStream, TokenStream) {
    let ident = &other.ident;
    match &other.field {
        Some(field) => (
            quote!(#ident { #field: status }),
            quote!(#ident { #field: status }),
        ),
        None => (quote!(#ident(status)), quote!(#ident(status))),
    }
}

/// The constants that write and read the fields.
fn fields(error: &ServiceError) -> TokenStream {
    let krate = &error.krate;
    let constants = error.variants.iter().enumerate().flat_map(|(v, variant)| {
        let cfg = &variant.cfg;
        variant
            .fields
            .list()
            .iter()
            .enumerate()
            .map(move |(i, Field { key, ty, json, .. })| {
                let name = constant(v, i);
                let function = Place::of(ty).call(
                    &quote!(#krate::__private),
                    if *json { "json_field" } else { "text_field" },
                );
                quote! {
                    #(#cfg)*
                    const #name: #krate::__private::Field<#ty> = #function::<#ty>(#key);
                }
            })
    });
    quote!(#(#constants)*)
}

/// `Error::OutOfStock { sku: field_0 } => ...`
fn to_status(error: &ServiceError, v: usize, variant: &Variant) -> TokenStream {
    let ServiceError {
        krate, ident: name, ..
    } = error;
    let Variant {
        cfg,
        ident,
        code,
        reason,
        fields,
    } = variant;
    let bound = |i: usize| format_ident!("field_{i}");
    let pattern = fields.with(|i, _| {
        let bound = bound(i);
        quote!(#bound)
    });
    let written = fields.list().iter().enumerate().map(|(i, field)| {
        let (constant, bound) = (constant(v, i), bound(i));
        if field.optional {
            quote!(let status = #constant.write_optional(status, #bound.as_ref());)
        } else {
            quote!(let status = #constant.write(status, &#bound);)
        }
    });
    quote! {
        #(#cfg)*
        #name::#ident #pattern => {
            let status = #krate::Status::new(#krate::Code::#code, text).with_reason(#reason).with_domain(__DOMAIN);
            #(#written)*
            status
        }
    }
}

/// `"OUT_OF_STOCK" => Some(Self::OutOfStock { sku: ... })`
fn from_status(v: usize, variant: &Variant) -> TokenStream {
    let Variant {
        cfg,
        ident,
        reason,
        fields,
        ..
    } = variant;
    let value = fields.with(|i, field| {
        let constant = constant(v, i);
        if field.optional {
            // None if it is not there, and the catch-all if it is there and not understood.
            quote!(#constant.read_optional(&status)?)
        } else {
            quote!(#constant.read(&status)?)
        }
    });
    quote! {
        #(#cfg)*
        #reason => ::core::option::Option::Some(Self::#ident #value),
    }
}

fn constant(variant: usize, field: usize) -> Ident {
    format_ident!("__FIELD_{variant}_{field}")
}

impl Fields {
    fn list(&self) -> &[Field] {
        match self {
            Self::Unit => &[],
            Self::Lone(field) => std::slice::from_ref(&**field),
            Self::Named(list) => list,
        }
    }

    /// What follows the variant's name, with something in the place of each field.
    fn with(&self, value: impl Fn(usize, &Field) -> TokenStream) -> TokenStream {
        match self {
            Self::Unit => TokenStream::new(),
            Self::Lone(field) => {
                let value = value(0, field);
                quote!((#value))
            }
            Self::Named(list) => {
                let fields = list.iter().enumerate().map(|(i, field)| {
                    let (ident, value) = (&field.ident, value(i, field));
                    quote!(#ident: #value)
                });
                quote!({ #(#fields),* })
            }
        }
    }
}
