//! `grpc-timeout`: one to eight digits and a unit.
//!
//! Sending takes the smallest unit whose number fits eight digits, and rounds up: a server may learn of a deadline that is a
//! hair late, never of one that has passed when the caller's has not.

use std::time::Duration;

use http::HeaderValue;

/// The largest number that eight digits hold.
const MAX: u128 = 99_999_999;

/// Units with their length in nanoseconds, smallest first.
const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60 * 1_000_000_000),
    (b'H', 3_600 * 1_000_000_000),
];

/// The header's value for a time left. Longer than eight digits of hours is sent as just that, 11,000 years.
pub(crate) fn encode(left: Duration) -> HeaderValue {
    let nanos = left.as_nanos();
    let (unit, number) = UNITS
        .into_iter()
        .map(|(unit, length)| (unit, nanos.div_ceil(length)))
        .find(|(_, number)| *number <= MAX)
        .unwrap_or((b'H', MAX));
    let mut text = [0; 9];
    let mut at = text.len() - 1;
    text[at] = unit;
    let mut rest = number;
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
        encode(left).to_str().expect("ASCII").to_owned()
    }

    #[test]
    fn takes_the_smallest_unit_that_fits_eight_digits() {
        assert_eq!(encoded(Duration::ZERO), "0n");
        assert_eq!(encoded(Duration::from_nanos(1)), "1n");
        assert_eq!(encoded(Duration::from_nanos(99_999_999)), "99999999n");
        assert_eq!(encoded(Duration::from_nanos(100_000_000)), "100000u");
        assert_eq!(encoded(Duration::from_millis(99_999)), "99999000u");
        assert_eq!(encoded(Duration::from_secs(100)), "100000m");
        assert_eq!(encoded(Duration::from_secs(99_999_999)), "99999999S");
        assert_eq!(encoded(Duration::from_secs(100_000_020)), "1666667M");
        assert_eq!(encoded(Duration::MAX), "99999999H");
    }

    #[test]
    fn rounds_up() {
        assert_eq!(encoded(Duration::from_nanos(100_000_001)), "100001u");
        assert_eq!(encoded(Duration::from_nanos(99_999_999_001)), "100000m");
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
        fn never_gets_shorter_on_the_way(secs in 0..u64::MAX / 4_000, nanos in 0..1_000_000_000_u32) {
            let left = Duration::new(secs, nanos);
            let arrived = parse(&encode(left)).expect("what we write is legal");
            prop_assert!(arrived >= left.min(Duration::from_secs(99_999_999 * 3_600)));
            // Eight digits: what rounding adds is below one part in a million, or one hour's worth at the far end.
            let slack = arrived.saturating_sub(left);
            prop_assert!(slack <= left / 1_000_000 || slack < Duration::from_nanos(1));
        }
    }
}
