//! From a path of names to field numbers.

use std::{collections::HashMap, sync::Arc};

use prost::Message;

use super::{
    super::expected::There,
    EncodedPath, Kind, Pick, Step,
    descriptor::{Enum, Field, File, FileSet, Type},
};
use crate::{
    MethodDescriptor,
    message::{FieldPath, Segment, UnknownField},
};

/// The messages of a service's descriptor, by full name.
pub(crate) struct Types {
    files: FileSet,
}

/// What the names in a set of files stand for.
struct Names<'f> {
    messages: HashMap<String, (&'f Type, bool)>,
    enums: HashMap<String, &'f Enum>,
}

impl Types {
    /// Of an encoded `google.protobuf.FileDescriptorSet`.
    pub(crate) fn read(set: &[u8]) -> Result<Self, UnknownField> {
        FileSet::decode(set)
            .map(|files| Self { files })
            .map_err(|_| UnknownField::with("the service's file descriptor set is malformed".to_owned()))
    }

    /// Resolves a path in the requests of a method.
    pub(crate) fn resolve(
        &self,
        method: &MethodDescriptor,
        path: &FieldPath,
    ) -> Result<EncodedPath, UnknownField> {
        let names = Names::of(&self.files.files);
        let missing = |what: &str| {
            UnknownField::with(format!(
                "the service's file descriptor set does not have `{what}`"
            ))
        };
        let input = self.input(method).ok_or_else(|| missing(method.path()))?;
        let mut message = names.messages.get(input).ok_or_else(|| missing(input))?;
        let mut rest = path.segments();
        let mut steps = Vec::new();
        loop {
            let at = path.segments().len() - rest.len();
            let (ty, is_proto3) = *message;
            let [Segment::Name(name), after @ ..] = rest else {
                let names = ty.fields.iter().map(|field| field.name.as_str());
                return Err(UnknownField::among(path, at, names));
            };
            let field = ty
                .fields
                .iter()
                .find(|field| *field.name == **name || *field.json_name == **name)
                .ok_or_else(|| {
                    UnknownField::among(path, at, ty.fields.iter().map(|field| field.name.as_str()))
                })?;
            let (pick, value, below) = pick(field, after, &names, path)?;
            let kind = names.kind(value).ok_or_else(|| missing(&value.type_name))?;
            let is_message = kind == Kind::Message;
            steps.push(Step {
                number: u32::try_from(field.number).map_err(|_| missing(&field.name))?,
                has_default: match pick {
                    Pick::Only => is_proto3 && field.oneof_index.is_none() && !is_message,
                    // A map's entry may leave out a value that is the default.
                    Pick::Key(..) | Pick::EachValue => true,
                    _ => false,
                },
                pick,
                kind,
            });
            rest = below;
            if rest.is_empty() {
                return Ok(EncodedPath { steps });
            }
            if !is_message {
                let at = path.segments().len() - rest.len();
                return Err(UnknownField::new(path, at, There::Value));
            }
            message = names
                .messages
                .get(&value.type_name)
                .ok_or_else(|| missing(&value.type_name))?;
        }
    }

    /// The full name of a method's request, with a dot before it.
    fn input(&self, method: &MethodDescriptor) -> Option<&str> {
        let files = self.files.files.iter();
        let services = files.flat_map(|file| file.services.iter().map(move |service| (file, service)));
        let full = |file: &File, name: &str| joined(&file.package, name);
        services
            .filter(|(file, service)| full(file, &service.name) == method.service())
            .flat_map(|(_, service)| &service.methods)
            .find(|found| found.name == method.name())
            .map(|found| found.input.as_str())
    }
}

/// Which values of a field the path means, which field describes one of them, and what is left of the path.
fn pick<'f, 'p>(
    field: &'f Field,
    after: &'p [Segment],
    names: &Names<'f>,
    path: &FieldPath,
) -> Result<(Pick, &'f Field, &'p [Segment]), UnknownField> {
    let at = path.segments().len() - after.len();
    if field.label != Field::REPEATED {
        return Ok((Pick::Only, field, after));
    }
    if let Some((key, value)) = names.entry(field) {
        return match after {
            [] => Ok((Pick::Whole, field, after)),
            [Segment::Name(name), rest @ ..] => {
                let kind = names.kind(key).unwrap_or(Kind::Text);
                Ok((Pick::Key(name.clone(), kind), value, rest))
            }
            [Segment::Each, rest @ ..] => Ok((Pick::EachValue, value, rest)),
            [Segment::Index(_), ..] => Err(UnknownField::new(path, at, There::Map)),
        };
    }
    match after {
        [] => Ok((Pick::Whole, field, after)),
        [Segment::Index(index), rest @ ..] => Ok((Pick::Index(*index), field, rest)),
        [Segment::Each, rest @ ..] => Ok((Pick::Each, field, rest)),
        [Segment::Name(_), ..] => Err(UnknownField::new(path, at, There::List)),
    }
}

impl<'f> Names<'f> {
    fn of(files: &'f [File]) -> Self {
        let mut names = Self {
            messages: HashMap::new(),
            enums: HashMap::new(),
        };
        for file in files {
            let outer = if file.package.is_empty() {
                String::new()
            } else {
                dotted("", &file.package)
            };
            names.add(&outer, &file.messages, &file.enums, file.syntax == "proto3");
        }
        names
    }

    fn add(&mut self, outer: &str, messages: &'f [Type], enums: &'f [Enum], is_proto3: bool) {
        // prost's decoder bounds how deep messages nest.
        for message in messages {
            let name = dotted(outer, &message.name);
            self.add(&name, &message.messages, &message.enums, is_proto3);
            self.messages.insert(name, (message, is_proto3));
        }
        let named = enums.iter().map(|found| (dotted(outer, &found.name), found));
        self.enums.extend(named);
    }

    /// Key and value of a map.
    fn entry(&self, field: &Field) -> Option<(&'f Field, &'f Field)> {
        let (ty, _) = self.messages.get(&field.type_name)?;
        let is_entry = ty.options.as_ref().is_some_and(|options| options.map_entry);
        let by_number = |number| ty.fields.iter().find(move |field| field.number == number);
        is_entry.then(|| Some((by_number(1)?, by_number(2)?)))?
    }

    /// How the values of a field are written; `None` if its type is not there.
    fn kind(&self, field: &Field) -> Option<Kind> {
        Some(match field.kind {
            1 => Kind::Double,
            2 => Kind::Float,
            3 | 5 => Kind::Int,
            4 | 13 => Kind::Uint,
            6 => Kind::Fixed64,
            7 => Kind::Fixed32,
            8 => Kind::Bool,
            9 => Kind::Text,
            11 => Kind::Message,
            12 => Kind::Bytes,
            14 => {
                let values = &self.enums.get(&field.type_name)?.values;
                let mut values: Vec<_> = values
                    .iter()
                    .map(|value| (value.number, value.name.as_str().into()))
                    .collect();
                // The first name of a number that has several.
                values.sort_by_key(|(number, _)| *number);
                values.dedup_by_key(|(number, _)| *number);
                Kind::Enum(Arc::from(values))
            }
            15 => Kind::Sfixed32,
            16 => Kind::Sfixed64,
            17 | 18 => Kind::Sint,
            _ => return None,
        })
    }
}

/// A full name as a service has it.
fn joined(package: &str, name: &str) -> String {
    if package.is_empty() {
        name.to_owned()
    } else {
        format!("{package}.{name}")
    }
}

/// A full name as types are referred to: `.package.Outer.Inner`.
fn dotted(outer: &str, name: &str) -> String {
    format!("{outer}.{name}")
}
