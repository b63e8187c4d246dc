//! Names on the wire: how they are derived from Rust's, and which are accepted.

use quote::ToTokens;
use syn::{Ident, Type, ext::IdentExt};

/// `get_stock` to `GetStock`; what is upper-case already stays.
pub(crate) fn upper_camel(ident: &Ident) -> String {
    let name = ident.unraw().to_string();
    name.split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters)
        })
        .collect()
}

/// `OutOfStock` to `OUT_OF_STOCK`, `HTTPError` to `HTTP_ERROR`.
pub(crate) fn upper_snake(ident: &Ident) -> String {
    let letters: Vec<char> = ident.unraw().to_string().chars().collect();
    let mut out = String::new();
    for (i, letter) in letters.iter().enumerate() {
        let begins_word = letter.is_uppercase()
            && i > 0
            && (!letters[i - 1].is_uppercase() || letters.get(i + 1).is_some_and(|next| next.is_lowercase()));
        if begins_word && !out.ends_with('_') {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}

/// The field of an argument in a message: an underscore that marks it as unused is not part of its name.
pub(crate) fn field(ident: &Ident) -> String {
    let name = ident.unraw().to_string();
    let trimmed = name.trim_start_matches('_');
    if trimmed.is_empty() {
        name
    } else {
        trimmed.to_owned()
    }
}

/// True for letters, digits and `_`, not beginning with a digit.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// True for names with dots between them, and for no name at all.
pub(crate) fn is_package(name: &str) -> bool {
    name.is_empty() || name.split('.').all(is_name)
}

/// True for what `ErrorInfo` accepts as a reason.
pub(crate) fn is_reason(name: &str) -> bool {
    is_name(name) && name.len() <= 63 && !name.bytes().any(|b| b.is_ascii_lowercase())
}

/// A type as people write it: without the spaces that tokens have between them.
pub(crate) fn type_text(ty: &Type) -> String {
    let tokens = ty.to_token_stream().to_string();
    let tokens = tokens
        .replace(" :: ", "::")
        .replace(" < ", "<")
        .replace(" >", ">")
        .replace("< ", "<");
    tokens
        .replace(" ,", ",")
        .replace("& ", "&")
        .replace("( ", "(")
        .replace(" )", ")")
        .replace(" ;", ";")
}

#[cfg(test)]
mod tests {
    use quote::format_ident;

    use super::*;

    #[test]
    fn methods_become_upper_camel_case() {
        for (ident, name) in [
            ("stock", "Stock"),
            ("get_stock", "GetStock"),
            ("v2_list", "V2List"),
            ("getStock", "GetStock"),
        ] {
            assert_eq!(upper_camel(&format_ident!("{ident}")), name);
        }
        assert_eq!(upper_camel(&format_ident!("r#type")), "Type");
    }

    #[test]
    fn variants_become_upper_snake_case() {
        for (ident, name) in [
            ("OutOfStock", "OUT_OF_STOCK"),
            ("HTTPError", "HTTP_ERROR"),
            ("Sku2Unknown", "SKU2_UNKNOWN"),
            ("A", "A"),
        ] {
            assert_eq!(upper_snake(&format_ident!("{ident}")), name);
        }
    }

    #[test]
    fn an_unused_argument_keeps_its_field() {
        assert_eq!(field(&format_ident!("_sku")), "sku");
        assert_eq!(field(&format_ident!("r#type")), "type");
    }

    #[test]
    fn packages_are_names_with_dots() {
        assert!(is_package("") && is_package("shop.v1") && is_package("_a.b2"));
        assert!(
            !is_package("shop..v1") && !is_package("shop.1") && !is_package("shop/v1") && !is_package(".")
        );
    }
}
