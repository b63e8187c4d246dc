//! How durations stand in settings: a number and its unit, `250ms`, `1.5s`, `2m`.

use std::time::Duration;

use serde::{Deserialize as _, Deserializer, de};

/// For `#[serde(deserialize_with)]`.
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| {
        let shown: String = text.chars().take(32).collect();
        de::Error::custom(format!(
            "`{shown}` is no duration; a number and one of us, ms, s, m, h is: 250ms, 1.5s"
        ))
    })
}

fn parse(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(parse("2m"), Some(Duration::from_mins(2)));
        assert_eq!(parse("0s"), Some(Duration::ZERO));
    }

    #[test]
    fn nothing_else() {
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "1e9s",
            "1 s",
            "1.2.3s",
            "99999999999999999999h",
            "1d",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
