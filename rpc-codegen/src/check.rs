//! Rules that concern more than one token: names that meet, and messages that must fit the service's codecs.

use crate::{
    args::Family,
    ast::{Input, Method, Service},
    errors::Errors,
    message, text,
};

/// Checks a service whose parts are sound.
pub(crate) fn service(service: &Service, errors: &mut Errors) {
    wire_names(&service.methods, errors);
    taken_names(service, errors);
    for method in &service.methods {
        fields(service, method, errors);
    }
}

/// Two methods under mutually exclusive `cfg`s may share a name; the compiler will see only one of them. If it sees both after
/// all, the router refuses the service.
fn wire_names(methods: &[Method], errors: &mut Errors) {
    let always = |method: &&Method| method.cfg.is_empty();
    for (i, method) in methods.iter().enumerate().filter(|(_, method)| always(method)) {
        let same = |other: &&Method| always(other) && other.wire_name == method.wire_name;
        if let Some(other) = methods[..i].iter().find(same) {
            errors.at(
                &method.ident,
                text::wire_name_twice(&method.wire_name, &other.ident),
            );
        }
    }
}

/// Functions that generated types have of their own would hide methods of the trait.
fn taken_names(service: &Service, errors: &mut Errors) {
    let ident = &service.ident;
    for method in &service.methods {
        if method.ident == "with_options" {
            errors.at(
                &method.ident,
                text::name_taken(&method.ident, &format!("{ident}Client")),
            );
        } else if service.args.blocking && method.ident == "new" {
            errors.at(
                &method.ident,
                text::name_taken(&method.ident, &format!("{ident}BlockingClient")),
            );
        }
    }
}

fn fields(service: &Service, method: &Method, errors: &mut Errors) {
    let Input::Several(arguments) = &method.input else {
        return;
    };
    if service.args.has(Family::Prost) {
        message::check_prost(method, arguments, errors);
        return;
    }
    for (key, _) in arguments.iter().filter_map(|argument| argument.tag.as_ref()) {
        errors.at(key, text::TAG_WITHOUT_PROST);
    }
}
