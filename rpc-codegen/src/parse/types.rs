//! Types as tokens: the few names that the macro knows, and what no message can contain.

use syn::{
    GenericArgument, Lifetime, PathArguments, Type, TypeImplTrait, TypeInfer, TypePath, TypeReference,
    visit::{self, Visit},
};

use crate::{errors::Errors, text};

/// The `T` of `Name<T>`, whatever path leads to `Name`.
pub(super) fn inside<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = plain(ty) else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    match &arguments(&last.arguments)[..] {
        [only] => Some(only),
        _ => None,
    }
}

/// The types between the angle brackets of the last segment of a path.
pub(super) fn arguments(arguments: &PathArguments) -> Vec<&Type> {
    let PathArguments::AngleBracketed(list) = arguments else {
        return Vec::new();
    };
    list.args
        .iter()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
        .collect()
}

/// Without the invisible groups that a `macro_rules!` around the trait leaves, and without parentheses.
pub(crate) fn plain(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => plain(&group.elem),
        Type::Paren(paren) => plain(&paren.elem),
        other => other,
    }
}

/// Pushes what cannot be part of a message.
pub(super) fn refuse_unsendable(ty: &Type, errors: &mut Errors) {
    Refuse {
        errors,
        message: false,
    }
    .visit_type(ty);
}

/// The same, and what must be around a message: for the message itself.
pub(super) fn refuse_in_message(ty: &Type, errors: &mut Errors) {
    Refuse {
        errors,
        message: true,
    }
    .visit_type(ty);
}

struct Refuse<'a> {
    errors: &'a mut Errors,
    message: bool,
}

impl<'ast> Visit<'ast> for Refuse<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        self.errors.at(reference, text::REFERENCE);
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        self.errors.at(ty, text::IMPL_TRAIT);
    }

    fn visit_type_infer(&mut self, ty: &'ast TypeInfer) {
        self.errors.at(ty, text::INFERRED_TYPE);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            self.errors.at(lifetime, text::LIFETIME);
        }
    }

    fn visit_type_path(&mut self, path: &'ast TypePath) {
        if path
            .path
            .segments
            .first()
            .is_some_and(|first| first.ident == "Self")
        {
            self.errors.at(path, text::SELF_TYPE);
            return;
        }
        if let Some(last) = path
            .path
            .segments
            .last()
            .filter(|last| self.message && !last.arguments.is_empty())
        {
            if last.ident == "Streaming" {
                self.errors.at(path, text::STREAM_INSIDE);
                return;
            }
            if last.ident == "Request" || last.ident == "Response" {
                self.errors.at(path, text::ENVELOPE_INSIDE);
                return;
            }
        }
        visit::visit_type_path(self, path);
    }
}
