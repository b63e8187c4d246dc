//! Walking an encoded message.

use prost::encoding::{self, DecodeContext, WireType};

use super::{Kind, Pick, Step};
use crate::message::FieldValue;

type Found<'f> = dyn FnMut(FieldValue<'_>) + 'f;

/// The message is not one: nothing more is found in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Malformed;

type Outcome<T = ()> = Result<T, Malformed>;

/// What stands on the wire for one value.
#[derive(Clone, Copy)]
enum Raw<'m> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'m [u8]),
}

/// Hands out what a message has at the path.
pub(super) fn visit(steps: &[Step], message: &[u8], found: &mut Found<'_>) -> Outcome {
    let Some((step, rest)) = steps.split_first() else {
        found(FieldValue::Composite);
        return Ok(());
    };
    match &step.pick {
        Pick::Only => match last(message, step.number)? {
            Some(raw) => value(&step.kind, raw, rest, found),
            None if step.has_default => value(&step.kind, default(&step.kind), rest, found),
            None => Ok(()),
        },
        Pick::Whole => {
            if last(message, step.number)?.is_some() {
                found(FieldValue::Composite);
            }
            Ok(())
        }
        Pick::Index(_) | Pick::Each => {
            let mut at = 0;
            occurrences(message, step.number).try_for_each(|raw| elements(step, raw?, &mut at, rest, found))
        }
        Pick::Key(key, kind) => {
            let mut chosen = None;
            for raw in occurrences(message, step.number) {
                let entry = entry(raw?)?;
                if is_key(entry, key, kind)? {
                    chosen = Some(entry);
                }
            }
            chosen.map_or(Ok(()), |entry| entry_value(step, entry, rest, found))
        }
        Pick::EachValue => {
            occurrences(message, step.number).try_for_each(|raw| entry_value(step, entry(raw?)?, rest, found))
        }
    }
}

/// One occurrence of a list: one element, or several numbers one after the other.
fn elements(step: &Step, raw: Raw<'_>, at: &mut u32, rest: &[Step], found: &mut Found<'_>) -> Outcome {
    let mut element = |raw| {
        let here = *at;
        *at = at.saturating_add(1);
        match step.pick {
            Pick::Index(index) if index != here => Ok(()),
            _ => value(&step.kind, raw, rest, found),
        }
    };
    let (Raw::Bytes(mut packed), Some(wire)) = (raw, packed_wire(&step.kind)) else {
        return element(raw);
    };
    while !packed.is_empty() {
        element(take(wire, &mut packed)?)?;
    }
    Ok(())
}

/// An entry of a map, which is a message of a key and a value.
fn entry(raw: Raw<'_>) -> Outcome<&[u8]> {
    match raw {
        Raw::Bytes(entry) => Ok(entry),
        _ => Err(Malformed),
    }
}

fn is_key(entry: &[u8], key: &str, kind: &Kind) -> Outcome<bool> {
    let mut is = false;
    let mut compare = |value: FieldValue<'_>| {
        let fits = value.with_bytes(|bytes| *bytes == *key.as_bytes());
        is = fits.unwrap_or(false);
    };
    let raw = last(entry, 1)?.unwrap_or(default(kind));
    value(kind, raw, &[], &mut compare)?;
    Ok(is)
}

fn entry_value(step: &Step, entry: &[u8], rest: &[Step], found: &mut Found<'_>) -> Outcome {
    let raw = last(entry, 2)?.unwrap_or(default(&step.kind));
    value(&step.kind, raw, rest, found)
}

/// Hands out one value, or what is in it.
#[allow(
    clippy::cast_possible_wrap,
    reason = "protobuf writes signed numbers as their bits"
)]
fn value(kind: &Kind, raw: Raw<'_>, rest: &[Step], found: &mut Found<'_>) -> Outcome {
    found(match (kind, raw) {
        (Kind::Message, Raw::Bytes(message)) => return visit(rest, message, found),
        (Kind::Text, Raw::Bytes(text)) => FieldValue::Text(std::str::from_utf8(text).map_err(|_| Malformed)?),
        (Kind::Bytes, Raw::Bytes(bytes)) => FieldValue::Bytes(bytes),
        (Kind::Double, Raw::Fixed64(bits)) => FieldValue::Float(f64::from_bits(bits)),
        (Kind::Float, Raw::Fixed32(bits)) => FieldValue::Float(f32::from_bits(bits).into()),
        (Kind::Int, Raw::Varint(bits)) | (Kind::Sfixed64, Raw::Fixed64(bits)) => {
            FieldValue::Signed(bits as i64)
        }
        (Kind::Sint, Raw::Varint(bits)) => FieldValue::Signed((bits >> 1) as i64 ^ -((bits & 1) as i64)),
        (Kind::Sfixed32, Raw::Fixed32(bits)) => FieldValue::Signed((bits as i32).into()),
        (Kind::Uint, Raw::Varint(bits)) | (Kind::Fixed64, Raw::Fixed64(bits)) => FieldValue::Unsigned(bits),
        (Kind::Fixed32, Raw::Fixed32(bits)) => FieldValue::Unsigned(bits.into()),
        (Kind::Bool, Raw::Varint(bits)) => FieldValue::Bool(bits != 0),
        (Kind::Enum(names), Raw::Varint(bits)) => {
            let number = bits as i32;
            match names.binary_search_by_key(&number, |(number, _)| *number) {
                Ok(at) => FieldValue::Text(&names[at].1),
                Err(_) => FieldValue::Signed(number.into()),
            }
        }
        _ => return Err(Malformed),
    });
    Ok(())
}

/// What stands for a field that is not on the wire.
fn default(kind: &Kind) -> Raw<'static> {
    match packed_wire(kind) {
        None => Raw::Bytes(&[]),
        Some(WireType::SixtyFourBit) => Raw::Fixed64(0),
        Some(WireType::ThirtyTwoBit) => Raw::Fixed32(0),
        Some(_) => Raw::Varint(0),
    }
}

/// How numbers are written; `None` of what is no number, and never packed.
fn packed_wire(kind: &Kind) -> Option<WireType> {
    match kind {
        Kind::Message | Kind::Text | Kind::Bytes => None,
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Some(WireType::SixtyFourBit),
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Some(WireType::ThirtyTwoBit),
        Kind::Int | Kind::Uint | Kind::Sint | Kind::Bool | Kind::Enum(_) => Some(WireType::Varint),
    }
}

/// What a message has of one field, in order.
fn occurrences(message: &[u8], number: u32) -> impl Iterator<Item = Outcome<Raw<'_>>> {
    Fields(message).filter_map(move |field| match field {
        Ok((found, raw)) => (found == number).then_some(Ok(raw)),
        Err(malformed) => Some(Err(malformed)),
    })
}

/// The occurrence that counts, of a field that has one value.
fn last(message: &[u8], number: u32) -> Outcome<Option<Raw<'_>>> {
    occurrences(message, number).try_fold(None, |_, raw| raw.map(Some))
}

/// The fields of a message, by number. The first error is the last item.
struct Fields<'m>(&'m [u8]);

impl<'m> Iterator for Fields<'m> {
    type Item = Outcome<(u32, Raw<'m>)>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            match self.field() {
                Ok(Some(field)) => return Some(Ok(field)),
                Ok(None) => {}
                Err(malformed) => {
                    self.0 = &[];
                    return Some(Err(malformed));
                }
            }
        }
        None
    }
}

impl<'m> Fields<'m> {
    /// The next field; `None` if it is a group, which nobody asks for.
    fn field(&mut self) -> Outcome<Option<(u32, Raw<'m>)>> {
        let (number, wire) = encoding::decode_key(&mut self.0).map_err(|_| Malformed)?;
        if wire == WireType::StartGroup {
            encoding::skip_field(wire, number, &mut self.0, DecodeContext::default())
                .map_err(|_| Malformed)?;
            return Ok(None);
        }
        Ok(Some((number, take(wire, &mut self.0)?)))
    }
}

/// Takes one value off.
fn take<'m>(wire: WireType, rest: &mut &'m [u8]) -> Outcome<Raw<'m>> {
    let varint = |rest: &mut &'m [u8]| encoding::decode_varint(rest).map_err(|_| Malformed);
    match wire {
        WireType::Varint => varint(rest).map(Raw::Varint),
        WireType::SixtyFourBit => {
            let (bits, after) = rest.split_first_chunk().ok_or(Malformed)?;
            *rest = after;
            Ok(Raw::Fixed64(u64::from_le_bytes(*bits)))
        }
        WireType::ThirtyTwoBit => {
            let (bits, after) = rest.split_first_chunk().ok_or(Malformed)?;
            *rest = after;
            Ok(Raw::Fixed32(u32::from_le_bytes(*bits)))
        }
        WireType::LengthDelimited => {
            let len = usize::try_from(varint(rest)?).map_err(|_| Malformed)?;
            let (bytes, after) = rest.split_at_checked(len).ok_or(Malformed)?;
            *rest = after;
            Ok(Raw::Bytes(bytes))
        }
        WireType::StartGroup | WireType::EndGroup => Err(Malformed),
    }
}
