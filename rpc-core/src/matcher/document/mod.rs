//! Matchers, conditions and predicates as rules write them.
//!
//! By hand, because what `on` belongs to is one flat table with exactly one question in it: serde cannot both flatten a table
//! and refuse the keys that nobody knows. What cannot be understood is remembered with its place until the outermost list is
//! read, so that the place is whole in every format.

mod write;

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

use super::{Condition, MatchError, Matcher, Predicate, Scalar, condition::Kind, predicate::Test};

const TESTS: &str = "`equals`, `in`, `range`, `prefix`, `regex`, `cidr`, `hash`, `percent` or `exists`";
const PREDICATE_KEYS: &[&str] = &[
    "equals", "in", "range", "prefix", "regex", "cidr", "hash", "percent", "exists", "not", "salt",
];
const CONDITION_KEYS: &[&str] = &[
    "on", "any", "all", "equals", "in", "range", "prefix", "regex", "cidr", "hash", "percent", "exists",
    "not", "salt",
];

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let conditions = Vec::<Read<Condition>>::deserialize(deserializer)?;
        whole("", conditions)
            .and_then(Self::new)
            .map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let condition = Read::<Self>::deserialize(deserializer)?.0;
        let checked = condition.and_then(|condition| {
            Matcher::new([condition.clone()])?;
            Ok(condition)
        });
        checked.map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Predicate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let predicate = deserializer.deserialize_any(PredicateVisitor)?;
        predicate.check().map_err(de::Error::custom)?;
        Ok(predicate)
    }
}

/// What was read, or why it could not be understood.
struct Read<T>(Result<T, MatchError>);

fn whole(outer: &str, conditions: Vec<Read<Condition>>) -> Result<Vec<Condition>, MatchError> {
    let numbered = conditions.into_iter().enumerate();
    let placed = |(at, read): (usize, Read<Condition>)| {
        read.0.map_err(|error| error.within(&format!("{outer}[{at}]")))
    };
    numbered.map(placed).collect()
}

impl<'de> Deserialize<'de> for Read<Condition> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ConditionVisitor)
    }
}

struct ConditionVisitor;

impl<'de> Visitor<'de> for ConditionVisitor {
    type Value = Read<Condition>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a condition: a table with `on` and a question, or with `any` or `all`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read<Condition>, A::Error> {
        let (mut on, mut any, mut all) = (None, None, None);
        let mut draft = Draft::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match &*key {
                "on" => once("on", &mut on, map.next_value()?)?,
                "any" => once("any", &mut any, map.next_value::<Vec<Read<Condition>>>()?)?,
                "all" => once("all", &mut all, map.next_value::<Vec<Read<Condition>>>()?)?,
                key => {
                    if !draft.read(key, &mut map)? {
                        return Err(de::Error::unknown_field(key, CONDITION_KEYS));
                    }
                }
            }
        }
        Ok(Read(match (on, any, all) {
            (Some(subject), None, None) => draft.finish().map(|predicate| Condition::on(subject, predicate)),
            (None, Some(list), None) => draft
                .only_not("any")
                .and_then(|not| Ok(Condition(Kind::Any(whole("any", list)?, not)))),
            (None, None, Some(list)) => draft
                .only_not("all")
                .and_then(|not| Ok(Condition(Kind::All(whole("all", list)?, not)))),
            _ => Err(MatchError::new("", "write one of `on`, `any` and `all`")),
        }))
    }
}

struct PredicateVisitor;

impl<'de> Visitor<'de> for PredicateVisitor {
    type Value = Predicate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text, a number, `true` or `false`, or a table with {TESTS}")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Predicate, E> {
        Ok(Predicate::equals(value))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Predicate, E> {
        Ok(Predicate::equals(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Predicate, E> {
        Ok(Predicate::equals(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Predicate, E> {
        Ok(Predicate::equals(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Predicate, E> {
        Ok(Predicate::equals(value))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Predicate, A::Error> {
        let mut draft = Draft::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if !draft.read(&key, &mut map)? {
                return Err(de::Error::unknown_field(&key, PREDICATE_KEYS));
            }
        }
        draft.finish().map_err(de::Error::custom)
    }
}

/// A predicate as its keys are read, one after the other.
#[derive(Default)]
struct Draft {
    test: Option<(&'static str, Result<Predicate, MatchError>)>,
    not: Option<bool>,
    salt: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts")]
enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    min: Option<Scalar>,
    max: Option<Scalar>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hash {
    modulo: u64,
    r#in: Vec<u64>,
}

impl Draft {
    /// Reads the value of a key; false if it is none of a predicate's.
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        let (name, test) = match key {
            "equals" => ("equals", Ok(Predicate::of(Test::Equals(map.next_value()?)))),
            "in" => ("in", Ok(Predicate::of(Test::In(map.next_value()?)))),
            "range" => {
                let Range { min, max } = map.next_value()?;
                ("range", Ok(Predicate::of(Test::Range(min, max))))
            }
            "prefix" => {
                let prefixes = map.next_value::<Texts>()?.into_vec();
                let prefixes = prefixes.into_iter().map(Into::into).collect();
                ("prefix", Ok(Predicate::of(Test::Prefix(prefixes))))
            }
            "regex" => ("regex", Predicate::regex(&map.next_value::<Cow<'_, str>>()?)),
            "cidr" => {
                let networks = map.next_value::<Texts>()?.into_vec();
                ("cidr", Predicate::cidr(networks.iter().map(String::as_str)))
            }
            "hash" => {
                let hash: Hash = map.next_value()?;
                ("hash", Predicate::hash(hash.modulo, hash.r#in))
            }
            "percent" => ("percent", Predicate::percent(map.next_value()?)),
            "exists" => ("exists", Ok(Predicate::of(Test::Exists(map.next_value()?)))),
            "not" => {
                once("not", &mut self.not, map.next_value()?)?;
                return Ok(true);
            }
            "salt" => {
                once("salt", &mut self.salt, map.next_value()?)?;
                return Ok(true);
            }
            _ => return Ok(false),
        };
        if let Some((before, _)) = &self.test {
            return Err(de::Error::custom(format_args!(
                "`{before}` and `{name}` in one table: write one condition for each"
            )));
        }
        self.test = Some((name, test));
        Ok(true)
    }

    fn finish(self) -> Result<Predicate, MatchError> {
        let Some((name, test)) = self.test else {
            return Err(MatchError::new(
                "",
                format!("a question is missing: write {TESTS}"),
            ));
        };
        let mut predicate = test?;
        predicate.negated = self.not.unwrap_or_default();
        match &self.salt {
            None => Ok(predicate),
            Some(salt) if predicate.is_by_hash() => Ok(predicate.salted(salt)),
            Some(_) => Err(MatchError::new(
                "salt",
                format!("it belongs to `hash` and `percent`, not to `{name}`"),
            )),
        }
    }

    /// Beside a list of conditions.
    fn only_not(self, list: &'static str) -> Result<bool, MatchError> {
        let other = self.test.map(|(name, _)| name).or(self.salt.map(|_| "salt"));
        match other {
            None => Ok(self.not.unwrap_or_default()),
            Some(name) => Err(MatchError::new(
                name,
                format!("only `not` stands beside `{list}`"),
            )),
        }
    }
}

fn once<T, E: de::Error>(key: &'static str, place: &mut Option<T>, value: T) -> Result<(), E> {
    if place.replace(value).is_some() {
        return Err(E::duplicate_field(key));
    }
    Ok(())
}
