//! The same, written.

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::matcher::{
    Condition, Matcher, Predicate, Scalar,
    condition::Kind,
    predicate::{Salt, Test},
};

impl Serialize for Matcher {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.conditions.serialize(serializer)
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let negated = match &self.0 {
            Kind::On(subject, predicate) => {
                map.serialize_entry("on", subject)?;
                predicate.write(&mut map)?;
                false
            }
            Kind::Any(conditions, negated) => {
                map.serialize_entry("any", conditions)?;
                *negated
            }
            Kind::All(conditions, negated) => {
                map.serialize_entry("all", conditions)?;
                *negated
            }
        };
        if negated {
            map.serialize_entry("not", &true)?;
        }
        map.end()
    }
}

impl Serialize for Predicate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write(&mut map)?;
        map.end()
    }
}

#[derive(Serialize)]
struct RangeOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    min: &'a Option<Scalar>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: &'a Option<Scalar>,
}

#[derive(Serialize)]
struct HashOut<'a> {
    modulo: u64,
    r#in: &'a [u64],
}

impl Predicate {
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let mut with_salt = None::<&Salt>;
        match &self.test {
            Test::Equals(value) => map.serialize_entry("equals", value)?,
            Test::In(values) => map.serialize_entry("in", values)?,
            Test::Range(min, max) => map.serialize_entry("range", &RangeOut { min, max })?,
            Test::Prefix(prefixes) => map.serialize_entry("prefix", prefixes)?,
            Test::Regex(pattern) => map.serialize_entry("regex", pattern.source())?,
            Test::Cidr(networks) => {
                let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
                map.serialize_entry("cidr", &networks)?;
            }
            Test::Hash { modulo, rests, salt } => {
                let (modulo, rests) = (*modulo, rests.as_slice());
                map.serialize_entry("hash", &HashOut { modulo, r#in: rests })?;
                with_salt = Some(salt);
            }
            Test::Percent { millionths, salt } => {
                map.serialize_entry("percent", &(f64::from(*millionths) / 10_000.0))?;
                with_salt = Some(salt);
            }
            Test::Exists(value) => map.serialize_entry("exists", value)?,
        }
        if let Some(salt) = with_salt.filter(|salt| !salt.text.is_empty()) {
            map.serialize_entry("salt", &*salt.text)?;
        }
        if self.negated {
            map.serialize_entry("not", &true)?;
        }
        Ok(())
    }
}
