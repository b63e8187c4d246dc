//! Making sure that the fields that a matcher looks at can be found.

use std::{borrow::Cow, cell::Cell};

use bytes::BytesMut;

use super::{Condition, MatchError, Matcher, Subject, condition::Kind};
use crate::{
    Call, MethodDescriptor, ServiceDescriptor,
    message::{Body, EncodedPath, FieldPath, FieldValue, Types, UnknownField, Value},
};

/// The codec whose messages are walked by the numbers of their fields.
const PROTOBUF: &str = "proto";

/// The fields that are found by number, by method and path in ascending order.
#[derive(Debug, Clone, Default)]
pub(super) struct Bound(Vec<(Box<str>, FieldPath, EncodedPath)>);

impl Matcher {
    /// Makes sure that the fields it looks at can be found in the requests of these services, and prepares finding them.
    ///
    /// Each method is looked at that the conditions on service and method leave. Its fields are found by a codec of the serde
    /// family among those that the service lists; else by the service's file descriptor set, for messages of protobuf, which
    /// need this preparation. A field of a type that leaves open what it reads (`untagged`, `flatten`) is taken to be there.
    ///
    /// Bind a matcher where a rule is validated, with the services that are called or served there. What an earlier call of
    /// this prepared is replaced.
    ///
    /// # Errors
    /// If requests of a method never have such a field, with the names that there are; or if there is no way to find fields:
    /// the method takes a stream of requests, or none of its codecs and no descriptor knows them. The matcher stays as it was.
    pub fn bind<'s>(
        &mut self,
        services: impl IntoIterator<Item = &'s ServiceDescriptor>,
    ) -> Result<(), MatchError> {
        let mut bound = Bound::default();
        for service in services {
            let mut types = None;
            for method in service.methods() {
                let mut binding = Binding {
                    service,
                    method,
                    types: &mut types,
                    bound: &mut bound,
                };
                binding.all("", &self.conditions)?;
            }
        }
        bound.0.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        self.bound = bound;
        Ok(())
    }
}

impl Subject {
    /// Makes sure that requests of these services can have it, where it is a field: at least those of one method, among those
    /// that the conditions of `when` on service and method leave.
    ///
    /// Its value is found by a codec of the serde family among those that the service lists. Messages that have protobuf alone
    /// have fields in the conditions of a matcher that is [bound](Matcher::bind), and nowhere else.
    ///
    /// # Errors
    /// If no request has such a field, with what there is in place of it; the path is empty.
    pub fn bind<'s>(
        &self,
        when: &Matcher,
        services: impl IntoIterator<Item = &'s ServiceDescriptor>,
    ) -> Result<(), MatchError> {
        let Self::Field(path) = self else {
            return Ok(());
        };
        let methods = services.into_iter().flat_map(ServiceDescriptor::methods);
        let mut refused = None;
        for method in methods.filter(|method| may_mean(&when.conditions, method)) {
            let found = by_codec(method, path).unwrap_or_else(|| {
                Err("there is no way to find fields: list a codec of the serde family among `codecs`".into())
            });
            match found {
                Ok(()) => return Ok(()),
                Err(problem) => _ = refused.get_or_insert_with(|| no_field("", method, &problem)),
            }
        }
        refused.map_or(Ok(()), Err)
    }
}

/// False if the conditions, all of which must hold, say by the method alone that it is not meant.
fn may_mean(conditions: &[Condition], method: &MethodDescriptor) -> bool {
    !conditions
        .iter()
        .any(|condition| condition.by_method(method) == Some(false))
}

/// What a codec of the serde family says of a field of a method's requests; `None` if there is none.
fn by_codec(method: &MethodDescriptor, path: &FieldPath) -> Option<Result<(), Cow<'static, str>>> {
    if method.shape().streams_requests() {
        return Some(Err("they are a stream, which has no fields".into()));
    }
    let check = method.field_check()?;
    Some(check(path).map_err(|error| error.to_string().into()))
}

fn no_field(place: &str, method: &MethodDescriptor, problem: &str) -> MatchError {
    MatchError::new(place, format!("requests of `{}`: {problem}", method.path()))
}

/// One method, as its conditions are looked at.
struct Binding<'b> {
    service: &'b ServiceDescriptor,
    method: &'b MethodDescriptor,
    /// Those of the service, once somebody asks.
    types: &'b mut Option<Result<Types, UnknownField>>,
    bound: &'b mut Bound,
}

impl Binding<'_> {
    /// Conditions which must all hold: if one says that the method is not meant, the others do not matter.
    fn all(&mut self, outer: &str, conditions: &[Condition]) -> Result<(), MatchError> {
        if may_mean(conditions, self.method) {
            self.each(outer, conditions)
        } else {
            Ok(())
        }
    }

    fn each(&mut self, outer: &str, conditions: &[Condition]) -> Result<(), MatchError> {
        for (at, condition) in conditions.iter().enumerate() {
            match &condition.0 {
                Kind::On(Subject::Field(path), _) => {
                    self.field(path).map_err(|problem| {
                        no_field(&format!("{outer}[{at}].on.field"), self.method, &problem)
                    })?;
                }
                Kind::On(..) => {}
                Kind::All(inner, _) => self.all(&format!("{outer}[{at}].all"), inner)?,
                Kind::Any(inner, _) => self.each(&format!("{outer}[{at}].any"), inner)?,
            }
        }
        Ok(())
    }

    fn field(&mut self, path: &FieldPath) -> Result<(), Cow<'static, str>> {
        if let Some(found) = by_codec(self.method, path) {
            return found;
        }
        let Some(set) = self.service.file_descriptor_set() else {
            return Err(
                "there is no way to find fields: list a codec of the serde family among `codecs`, \
                        or give the service its `file_descriptor_set`"
                    .into(),
            );
        };
        let types = self.types.get_or_insert_with(|| Types::read(set));
        let types = types.as_ref().map_err(ToString::to_string)?;
        let encoded = types
            .resolve(self.method, path)
            .map_err(|error| error.to_string())?;
        self.bound
            .0
            .push((self.method.path().into(), path.clone(), encoded));
        Ok(())
    }
}

impl Condition {
    /// What the method alone says of it: `None` if that depends on more.
    fn by_method(&self, method: &MethodDescriptor) -> Option<bool> {
        let told = |inner: &[Self], decisive: bool| {
            let mut told = inner.iter().map(|condition| condition.by_method(method));
            let (mut is_open, mut is_decided) = (false, false);
            for told in told.by_ref() {
                is_open |= told.is_none();
                is_decided |= told == Some(decisive);
            }
            match (is_decided, is_open) {
                (true, _) => Some(decisive),
                (false, true) => None,
                (false, false) => Some(!decisive),
            }
        };
        match &self.0 {
            Kind::On(Subject::Service, predicate) => Some(predicate.test(method.service())),
            Kind::On(Subject::Method, predicate) => {
                let is_plain = predicate.plain(method.path().into())
                    || !predicate.is_by_hash() && predicate.plain(method.name().into());
                Some(is_plain != predicate.negated)
            }
            Kind::On(..) => None,
            Kind::Any(inner, negated) => told(inner, true).map(|told| told != *negated),
            Kind::All(inner, negated) => told(inner, false).map(|told| told != *negated),
        }
    }
}

impl Bound {
    /// Hands out what the request of a call has at a path.
    pub(super) fn visit(&self, call: &Call<'_>, path: &FieldPath, seen: &mut dyn FnMut(FieldValue<'_>)) {
        match &call.body {
            Body::Value(value) => self.value(call, &**value, path, seen),
            Body::Boxed(value) => self.value(call, &**value, path, seen),
            Body::Encoded(encoded) => {
                if let Some(numbers) = self.numbers(call, path) {
                    numbers.visit(&encoded.bytes, seen);
                }
            }
            _ => {}
        }
    }

    fn value(
        &self,
        call: &Call<'_>,
        value: &dyn Value,
        path: &FieldPath,
        seen: &mut dyn FnMut(FieldValue<'_>),
    ) {
        if value.field(path, seen) {
            return;
        }
        if let Some(numbers) = self.numbers(call, path) {
            with_buffer(|buffer| {
                // What cannot be encoded will fail where it is sent.
                if value.encode(buffer).is_ok() {
                    numbers.visit(buffer, seen);
                }
            });
        }
    }

    fn numbers(&self, call: &Call<'_>, path: &FieldPath) -> Option<&EncodedPath> {
        if self.0.is_empty() || call.codec != PROTOBUF {
            return None;
        }
        let method = call.method.path();
        let at = self
            .0
            .binary_search_by(|entry| (&*entry.0, &entry.1).cmp(&(method, path)))
            .ok()?;
        Some(&self.0[at].2)
    }
}

/// The most memory that a thread keeps for encoding messages that are looked into, in bytes.
const MAX_KEPT_BYTES: usize = 64 << 10;

thread_local! {
    static BUFFER: Cell<BytesMut> = Cell::new(BytesMut::new());
}

/// Lends the thread's buffer. A message's own code that asks a matcher meanwhile gets a fresh one.
fn with_buffer(f: impl FnOnce(&mut BytesMut)) {
    let mut buffer = BUFFER.take();
    f(&mut buffer);
    buffer.clear();
    if buffer.capacity() <= MAX_KEPT_BYTES {
        BUFFER.set(buffer);
    }
}
