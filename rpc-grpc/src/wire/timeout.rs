//! `grpc-timeout`: one to eight digits and a unit.
//!
//! Sending keeps three digits, or milliseconds where that is more, and rounds up: a server may learn of a deadline that is a hair
//! late, by less than a millisecond and less than a hundredth of what is left, never of one that has passed when the caller's has
//! not. What is left of one and the same timeout differs by microseconds from call to call; rounded it is mostly the same text,
//! which both ends can keep in their header tables. Coarser it should not be: each hop of a chain adds what it rounds.

use std::time::Duration;

use http::HeaderValue;

/// The largest number that eight digits hold.
const MAX: u32 = 99_999_999;

/// The smallest number of nanoseconds that has a digit more than are kept.
const TOO_PRECISE: u64 = 1_000;

/// The most nanoseconds that rounding adds.
const COARSEST: u64 = 1_000_000;

/// Units of which each is a thousand of the one before, smallest first.
const DECIMAL_UNITS: [u8; 4] = [b'n', b'u', b'm', b'S'];

/// A time left, as it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeout {
    number: u32,
    unit: u8,
}

impl Timeout {
    /// Rounds a time left. What is longer than eight digits of seconds, three years, is said in hours; what is longer than eight
    /// digits of those, 11,000 years, as just that.
    pub(crate) fn of(left: Duration) -> Self {
        Self::decimal(left).unwrap_or_else(|| Self::hours(left))
    }

    fn decimal(left: Duration) -> Option<Self> {
        let mut number = u64::try_from(left.as_nanos()).ok()?;
        if let Some(more) = (number / TOO_PRECISE).checked_ilog10() {
            let step = 10_u64.pow(more + 1).min(COARSEST);
            number = number.div_ceil(step).checked_mul(step)?;
        }
        let mut unit = 0;
        let is_long = |number| number > u64::from(MAX) || number > 0 && number % 1_000 == 0;
        while is_long(number) && unit + 1 < DECIMAL_UNITS.len() {
            number = number.div_ceil(1_000);
            unit += 1;
        }
        let number = u32::try_from(number).ok().filter(|number| *number <= MAX)?;
        Some(Self {
            number,
            unit: DECIMAL_UNITS[unit],
        })
    }

    fn hours(left: Duration) -> Self {
        let secs = left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0));
        let hours = secs.div_ceil(3_600);
        Self {
            number: u32::try_from(hours).unwrap_or(MAX).min(MAX),
            unit: b'H',
        }
    }

    /// The header's value.
    pub(crate) fn value(self) -> HeaderValue {
        let mut text = [0; 9];
        let mut at = text.len() - 1;
        text[at] = self.unit;
        let mut rest = self.number;
        loop {
            at -= 1;
            text[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        HeaderValue::from_bytes(&text[at..]).expect("digits and a letter are a legal value")
    }

    /// As one number: two that differ have different ones, and none has zero.
    pub(crate) fn key(self) -> u64 {
        u64::from(self.unit) << 32 | u64::from(self.number)
    }
}

/// The time that a header's value says.
pub(crate) fn parse(value: &HeaderValue) -> Result<Duration, InvalidTimeout> {
    let [digits @ .., unit] = value.as_bytes() else {
        return Err(InvalidTimeout);
    };
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(InvalidTimeout);
    }
    let number = digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    match unit {
        b'n' => Ok(Duration::from_nanos(number)),
        b'u' => Ok(Duration::from_micros(number)),
        b'm' => Ok(Duration::from_millis(number)),
        b'S' => Ok(Duration::from_secs(number)),
        // Eight digits of hours are 3.6e11 seconds: no overflow.
        b'M' => Ok(Duration::from_secs(number * 60)),
        b'H' => Ok(Duration::from_secs(number * 3_600)),
        _ => Err(InvalidTimeout),
    }
}

/// A value of `grpc-timeout` that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidTimeout;

#[cfg(test)]
#[allow(clippy::duration_suboptimal_units, reason = "the unit is what is tested")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(left: Duration) -> String {
        Timeout::of(left).value().to_str().expect("ASCII").to_owned()
    }

    #[test]
    fn keeps_three_digits_or_milliseconds_and_rounds_up() {
        assert_eq!(encoded(Duration::ZERO), "0n");
        assert_eq!(encoded(Duration::from_nanos(1)), "1n");
        assert_eq!(encoded(Duration::from_nanos(999)), "999n");
        assert_eq!(encoded(Duration::from_nanos(1_001)), "1010n");
        assert_eq!(encoded(Duration::from_nanos(99_999_999)), "100m");
        assert_eq!(encoded(Duration::from_nanos(100_000_001)), "101m");
        assert_eq!(encoded(Duration::from_micros(12_340)), "12400u");
        assert_eq!(encoded(Duration::from_micros(123_455_100)), "123456m");
        assert_eq!(encoded(Duration::from_millis(99_999_999)), "99999999m");
        assert_eq!(encoded(Duration::from_millis(100_000_001)), "100001S");
    }

    #[test]
    fn what_is_left_of_a_timeout_is_mostly_the_same_text() {
        for micros in [1, 50, 999] {
            assert_eq!(encoded(Duration::from_micros(1_000_000 - micros)), "1S");
        }
    }

    #[test]
    fn takes_hours_where_seconds_have_too_many_digits() {
        assert_eq!(encoded(Duration::from_secs(99_999_999)), "99999999S");
        assert_eq!(encoded(Duration::from_secs(100_000_000)), "27778H");
        assert_eq!(encoded(Duration::from_nanos(u64::MAX)), "5124096H");
        assert_eq!(encoded(Duration::new(360_000_000, 1)), "100001H");
        assert_eq!(encoded(Duration::MAX), "99999999H");
    }

    #[test]
    fn the_key_tells_them_apart() {
        let key = |left| Timeout::of(left).key();
        let known = [
            key(Duration::ZERO),
            key(Duration::from_secs(1)),
            key(Duration::from_millis(1)),
        ];
        assert_eq!(known.iter().collect::<std::collections::HashSet<_>>().len(), 3);
        assert!(!known.contains(&0));
        assert_eq!(key(Duration::from_secs(1)), key(Duration::from_micros(999_500)));
    }

    #[test]
    fn refuses_what_is_not_one_to_eight_digits_and_a_unit() {
        for text in [
            "",
            "n",
            "1",
            "1s",
            "1x",
            "-1S",
            "+1S",
            " 1S",
            "1 S",
            "1.5S",
            "123456789n",
            "1nn",
            "٣S",
        ] {
            let value = HeaderValue::from_bytes(text.as_bytes()).expect("legal");
            assert_eq!(parse(&value), Err(InvalidTimeout), "{text}");
        }
    }

    #[test]
    fn reads_each_unit() {
        let parsed = |text: &'static str| parse(&HeaderValue::from_static(text)).expect(text);
        assert_eq!(parsed("00000000n"), Duration::ZERO);
        assert_eq!(parsed("7u"), Duration::from_micros(7));
        assert_eq!(parsed("250m"), Duration::from_millis(250));
        assert_eq!(parsed("10S"), Duration::from_secs(10));
        assert_eq!(parsed("2M"), Duration::from_secs(120));
        assert_eq!(parsed("99999999H"), Duration::from_secs(99_999_999 * 3_600));
    }

    proptest! {
        #[test]
        fn never_gets_shorter_on_the_way(nanos: u64, halvings in 0..64_u32, centuries in 0..100_u32) {
            let left = Duration::from_nanos(nanos >> halvings);
            // Of all lengths, and some that are longer than 64 bits of nanoseconds.
            for left in [left, left + Duration::from_hours(876_600) * centuries] {
                let arrived = parse(&Timeout::of(left).value()).expect("what we write is legal");
                let slack = arrived.checked_sub(left).expect("it is rounded up");
                // From a day on, one part in a hundred thousand is still less than a second.
                prop_assert!(slack <= (left / 100).min(Duration::from_millis(1).max(left / 20_000)));
            }
        }
    }
}
