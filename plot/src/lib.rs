//! Plots of the documentation, as SVG: bars and lines. Nothing more is needed, so nothing more is depended on.

mod bars;
mod lines;

pub use self::{
    bars::{Bar, Bars, Group},
    lines::{Line, Lines},
};

use std::fmt::Write as _;

/// How values are laid along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithm.
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

/// Three digits.
pub fn figure(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// A picture of that size, with a title and a body.
fn svg(width: f64, height: f64, title: &str, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height:.0}\" font-family=\"sans-serif\" \
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
    fn figures_have_three_digits() {
        assert_eq!([0.456, 12.34, 1234.5].map(figure), ["0.46", "12.3", "1234"]);
    }
}
