//! Bars, in groups.

use std::fmt::Write as _;

use crate::{Scale, figure, svg, text};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 210.0;
/// Room behind the longest bar for its figure.
const RIGHT: f64 = 80.0;
const BAR: f64 = 16.0;
const STEP: f64 = 20.0;
const GAP: f64 = 14.0;
const TOP: f64 = 44.0;

/// A plot of bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    /// What it shows, with the unit.
    pub title: String,
    /// How long bars are.
    pub scale: Scale,
    /// From top to bottom.
    pub groups: Vec<Group>,
}

/// Bars that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What they have in common.
    pub label: String,
    /// From top to bottom.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Whose it is.
    pub label: String,
    /// How long it is.
    pub value: f64,
    /// Whether it stands out.
    pub stands_out: bool,
}

impl Bars {
    /// The picture.
    pub fn svg(&self) -> String {
        let values = || {
            self.groups
                .iter()
                .flat_map(|group| &group.bars)
                .map(|bar| bar.value)
        };
        let (least, most) = (
            values().fold(f64::INFINITY, f64::min),
            values().fold(0.0, f64::max),
        );
        let mut body = String::new();
        let mut y = TOP;
        for group in &self.groups {
            text(&mut body, 8.0, y + 12.0, "start", &group.label);
            for bar in &group.bars {
                let width = (WIDTH - LEFT - RIGHT) * self.scale.place(bar.value, least, most);
                text(&mut body, LEFT - 8.0, y + 12.0, "end", &bar.label);
                let colour = if bar.stands_out { "#2b6cb0" } else { "#a0aec0" };
                // Writing to a string does not fail.
                let _ = writeln!(
                    body,
                    r#"<rect x="{LEFT}" y="{y:.0}" width="{width:.1}" height="{BAR}" fill="{colour}"/>"#,
                );
                text(
                    &mut body,
                    LEFT + width + 6.0,
                    y + 12.0,
                    "start",
                    &figure(bar.value),
                );
                y += STEP;
            }
            y += GAP;
        }
        svg(WIDTH, y, &self.title, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_the_markup() {
        let group = Group {
            label: "<a & b>".to_owned(),
            bars: vec![Bar {
                label: "x<y".to_owned(),
                value: 2.0,
                stands_out: false,
            }],
        };
        let svg = Bars {
            title: "t".to_owned(),
            scale: Scale::Linear,
            groups: vec![group],
        }
        .svg();
        assert!(
            svg.contains("&lt;a &amp; b&gt;") && svg.contains("x&lt;y"),
            "{svg}"
        );
        assert_eq!(svg.matches("<rect").count(), 2);
    }
}
