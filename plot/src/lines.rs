//! Lines over an axis, time say.

use std::fmt::Write as _;

use crate::{Scale, figure, svg, text};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 70.0;
/// Room for the names at the ends of the lines.
const RIGHT: f64 = 170.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 44.0;
const COLOURS: [&str; 8] = [
    "#2b6cb0", "#c05621", "#2f855a", "#805ad5", "#b7791f", "#c53030", "#319795", "#4a5568",
];

/// A plot of lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines {
    /// What it shows, with the unit.
    pub title: String,
    /// What the axis at the bottom is.
    pub across: String,
    /// How values are laid out upwards.
    pub scale: Scale,
    /// Each in a colour of its own, as long as there are any.
    pub lines: Vec<Line>,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Whose it is.
    pub label: String,
    /// Where it goes through, in the order of the axis.
    pub points: Vec<(f64, f64)>,
}

impl Lines {
    /// The picture.
    pub fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values
                .filter(|value| value.is_finite())
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                    (low.min(value), high.max(value))
                })
        };
        let (first, last) = range(&mut points().map(|point| point.0));
        let (low, high) = range(&mut points().map(|point| point.1));
        if first > last || low > high {
            return svg(WIDTH, HEIGHT, &self.title, "");
        }
        let span = (last - first).max(f64::MIN_POSITIVE);
        let x = |value: f64| LEFT + (WIDTH - LEFT - RIGHT) * (value - first) / span;
        let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * self.scale.place(value, low, high);
        let mut body = String::new();
        // Writing to a string does not fail, here and below.
        let _ = writeln!(
            body,
            r##"<path d="M{LEFT} {TOP}V{:.0}H{:.0}" fill="none" stroke="#718096"/>"##,
            HEIGHT - BOTTOM,
            WIDTH - RIGHT
        );
        for value in [low, (low * high).sqrt(), high] {
            text(&mut body, LEFT - 6.0, y(value) + 4.0, "end", &figure(value));
        }
        for value in [first, f64::midpoint(first, last), last] {
            text(
                &mut body,
                x(value),
                HEIGHT - BOTTOM + 18.0,
                "middle",
                &figure(value),
            );
        }
        text(
            &mut body,
            x(f64::midpoint(first, last)),
            HEIGHT - 8.0,
            "middle",
            &self.across,
        );
        let mut top = TOP;
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let mut path = String::new();
            for (across, up) in line.points.iter().filter(|(_, up)| up.is_finite()) {
                let step = if path.is_empty() { 'M' } else { 'L' };
                let _ = write!(path, "{step}{:.1} {:.1}", x(*across), y(*up));
            }
            let _ = writeln!(
                body,
                r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>"#
            );
            let _ = writeln!(
                body,
                r#"<rect x="{:.0}" y="{top:.0}" width="12" height="12" fill="{colour}"/>"#,
                WIDTH - RIGHT + 12.0
            );
            text(&mut body, WIDTH - RIGHT + 30.0, top + 11.0, "start", &line.label);
            top += 18.0;
        }
        svg(WIDTH, HEIGHT, &self.title, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> String {
        Lines {
            title: "t".to_owned(),
            across: "s".to_owned(),
            scale: Scale::Logarithmic,
            lines: vec![Line {
                label: "<a>".to_owned(),
                points,
            }],
        }
        .svg()
    }

    #[test]
    fn a_line_goes_from_corner_to_corner() {
        let svg = plot(vec![(0.0, 1.0), (5.0, f64::NAN), (10.0, 100.0)]);
        assert!(svg.contains("&lt;a&gt;"), "{svg}");
        let end = format!("L{:.1} {TOP:.1}", WIDTH - RIGHT);
        assert!(svg.contains(&end) && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn nothing_to_show_is_an_empty_picture() {
        assert!(!plot(Vec::new()).contains("<path"));
    }
}
