//! Bars, as SVG. Nothing more is needed, so nothing more is depended on.

use std::fmt::Write as _;

use crate::{
    cell::PLAIN,
    record::{Calls, Record},
    table::BASE,
};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 210.0;
/// Room behind the longest bar for its figure.
const RIGHT: f64 = 80.0;
const BAR: f64 = 16.0;
const STEP: f64 = 20.0;
const GAP: f64 = 14.0;
const TOP: f64 = 44.0;

/// Bars that belong together.
struct Group {
    label: String,
    bars: Vec<(String, f64)>,
}

/// A name of a file, and what it holds.
pub(super) fn all(records: &[Record]) -> Vec<(&'static str, String)> {
    let speed = by_shape(records, |calls, base| {
        base.map(|base| calls.calls_per_second / base.calls_per_second)
    });
    let cpu = by_shape(records, |calls, _| Some(calls.cpu_us_per_call));
    let heap = connections(records);
    [
        (
            "calls.svg",
            "Calls per second as a multiple of tonic's: 0 B, 64 in flight, one connection (logarithmic)",
            Scale::Logarithmic,
            speed,
        ),
        (
            "cpu.svg",
            "Microseconds of CPU a call, both sides: 0 B, 64 in flight, one connection (logarithmic)",
            Scale::Logarithmic,
            cpu,
        ),
        (
            "connections.svg",
            "KiB of heap for an idle connection, both ends",
            Scale::Linear,
            heap,
        ),
    ]
    .into_iter()
    .filter(|(.., groups)| !groups.is_empty())
    .map(|(name, title, scale, groups)| (name, svg(title, scale, &groups)))
    .collect()
}

fn by_shape(records: &[Record], figure: impl Fn(&Calls, Option<&Calls>) -> Option<f64>) -> Vec<Group> {
    let group = |shape: &str| {
        let bars = records
            .iter()
            .filter(|record| {
                record.shape == shape
                    && record.scenario == "unary"
                    && record.payload == 0
                    && record.concurrency == 64
            })
            // Who is in both programs is shown as the plain one has it.
            .filter(|record| {
                record.build == PLAIN
                    || !records
                        .iter()
                        .any(|other| other.build == PLAIN && other.subject == record.subject)
            })
            .filter_map(|record| {
                let base = record.peer(records, BASE).and_then(|base| base.calls.as_ref());
                let value = figure(record.calls.as_ref()?, base)?;
                Some((record.subject.clone(), value))
            });
        Group {
            label: shape.to_owned(),
            bars: bars.collect(),
        }
    };
    let groups = ["one-cpu", "shared", "apart"].map(group);
    groups
        .into_iter()
        .filter(|group| !group.bars.is_empty())
        .collect()
}

fn connections(records: &[Record]) -> Vec<Group> {
    let most = records.iter().filter_map(|record| record.idle).max();
    let bars: Vec<_> = records
        .iter()
        .filter(|record| record.scenario == "connections" && record.idle == most)
        .filter_map(|record| {
            let both = record.heap_client_bytes? + record.heap_server_bytes?;
            Some((record.subject.clone(), both / 1024.0))
        })
        .collect();
    if bars.is_empty() {
        return Vec::new();
    }
    vec![Group {
        label: format!("{} idle", most.unwrap_or_default()),
        bars,
    }]
}

#[derive(Clone, Copy)]
enum Scale {
    Linear,
    Logarithmic,
}

impl Scale {
    /// How far along the axis a value is, 0 to 1.
    fn place(self, value: f64, least: f64, most: f64) -> f64 {
        let part = match self {
            Self::Linear => value / most,
            // The smallest bar is seen too.
            Self::Logarithmic => (value / least * 1.5).ln() / (most / least * 1.5).ln(),
        };
        if part.is_finite() {
            part.clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

fn svg(title: &str, scale: Scale, groups: &[Group]) -> String {
    let values = || {
        groups
            .iter()
            .flat_map(|group| &group.bars)
            .map(|(_, value)| *value)
    };
    let (least, most) = (
        values().fold(f64::INFINITY, f64::min),
        values().fold(0.0, f64::max),
    );
    let mut body = String::new();
    let mut y = TOP;
    for group in groups {
        text(&mut body, 8.0, y + 12.0, "start", &group.label);
        for (label, value) in &group.bars {
            let width = (WIDTH - LEFT - RIGHT) * scale.place(*value, least, most);
            text(&mut body, LEFT - 8.0, y + 12.0, "end", label);
            // Writing to a string does not fail.
            let _ = writeln!(
                body,
                r#"<rect x="{LEFT}" y="{y:.0}" width="{width:.1}" height="{BAR}" fill="{}"/>"#,
                colour(label)
            );
            text(&mut body, LEFT + width + 6.0, y + 12.0, "start", &figure(*value));
            y += STEP;
        }
        y += GAP;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y:.0}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"8\" y=\"22\" \
         font-weight=\"bold\">{}</text>\n{body}</svg>\n",
        escaped(title)
    )
}

fn text(body: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = escaped(text);
    // Writing to a string does not fail.
    let _ = writeln!(
        body,
        r#"<text x="{x:.1}" y="{y:.0}" text-anchor="{anchor}">{text}</text>"#
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Ours stand out.
fn colour(subject: &str) -> &'static str {
    if subject.starts_with("rpc-") {
        "#2b6cb0"
    } else {
        "#a0aec0"
    }
}

/// Three digits.
pub(super) fn figure(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_is_as_long_as_there_is_room() {
        for scale in [Scale::Linear, Scale::Logarithmic] {
            assert!((scale.place(9.0, 1.0, 9.0) - 1.0).abs() < 1e-9);
            let small = scale.place(1.0, 1.0, 9.0);
            assert!(small > 0.0 && small < 0.5, "{small}");
        }
        assert!(Scale::Linear.place(1.0, 1.0, 0.0) <= 1.0);
        assert!(Scale::Linear.place(f64::NAN, 1.0, 2.0) <= 1.0);
    }

    #[test]
    fn labels_cannot_break_the_markup() {
        let group = Group {
            label: "<a & b>".to_owned(),
            bars: vec![("x<y".to_owned(), 2.0)],
        };
        let svg = svg("t", Scale::Linear, &[group]);
        assert!(
            svg.contains("&lt;a &amp; b&gt;") && svg.contains("x&lt;y"),
            "{svg}"
        );
        assert_eq!(svg.matches("<rect").count(), 2);
    }

    #[test]
    fn figures_have_three_digits() {
        assert_eq!([0.456, 12.34, 1234.5].map(figure), ["0.46", "12.3", "1234"]);
    }
}
