//! Small charts as SVG: a metric over versions, slices as bars, and the paired interval of an improvement.

use std::fmt::Write as _;

use stemma_core::{
    recommend::RelativeScore,
    record::{EvaluationReport, Metrics},
    version::Improvement,
};

const WIDTH: f64 = 640.0;

/// Versions that are named below the chart; of more they are where the pointer is.
const NAMED_MAX: usize = 30;

/// A metric of versions in their order; `None` with fewer than two.
pub fn versions(points: &[(String, f64)]) -> Option<String> {
    if points.len() < 2 {
        return None;
    }
    let (low, high) = points.iter().fold((f64::MAX, f64::MIN), |(low, high), (_, v)| (low.min(*v), high.max(*v)));
    let margin = ((high - low) * 0.15).max(0.005);
    let (low, high) = (low - margin, high + margin);
    let (height, left) = (150.0, 60.0);
    let y = |value: f64| 12.0 + (high - value) / (high - low) * (height - 24.0);
    let mut svg = open(height + 26.0, "metric by version");
    for tick in [low + margin, high - margin] {
        let at = y(tick);
        let _ = write!(svg, "<line class=\"axis\" x1=\"{left}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>");
        let _ = write!(svg, "<text class=\"tick\" x=\"4\" y=\"{:.1}\">{tick:.3}</text>", at + 4.0);
    }
    let step = (WIDTH - left - 40.0) / (points.len() - 1) as f64;
    let radius = if points.len() > NAMED_MAX { 2 } else { 5 };
    for (i, (name, value)) in points.iter().enumerate() {
        let (x, name) = (left + 20.0 + i as f64 * step, escape(name));
        let _ = write!(
            svg,
            "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{:.1}\" r=\"{radius}\"><title>{name}: {value:.4}</title></circle>",
            y(*value)
        );
        if points.len() <= NAMED_MAX {
            let below = height + 18.0;
            let _ =
                write!(svg, "<text class=\"tick\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{below:.1}\">{name}</text>");
        }
    }
    svg.push_str("</svg>");
    Some(svg)
}

/// The metric by which slices are drawn: AUC for two classes where there is one, else the primary one.
pub fn slice_metric(report: &EvaluationReport) -> &str {
    match &report.overall {
        Metrics::Binary(found) if found.auc.is_some() => "auc",
        _ => &report.primary,
    }
}

/// A metric of every slice as a bar: AUC from 0.5 to 1, others from 0 to the largest.
pub fn slices(report: &EvaluationReport) -> String {
    const ROW: f64 = 24.0;
    const LEFT: f64 = 330.0;
    let metric = slice_metric(report);
    let values = report.slices.iter().filter_map(|slice| slice.metrics.value(metric));
    let (left, right) = match metric {
        "auc" => (0.5, 1.0),
        _ => (0.0, values.fold(f64::MIN_POSITIVE, f64::max)),
    };
    let mut svg = open(report.slices.len() as f64 * ROW + 4.0, &format!("{metric} by slice"));
    for (i, slice) in report.slices.iter().enumerate() {
        let y = i as f64 * ROW;
        let name = format!("{} = {}", slice.column, slice.value);
        let rows = slice.metrics.rows();
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"0\" y=\"{:.1}\">{} ({rows})</text>",
            y + 16.0,
            escape(&name.chars().take(52).collect::<String>())
        );
        let track = WIDTH - LEFT - 80.0;
        let _ = write!(
            svg,
            "<rect class=\"track\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{track}\" height=\"10\" rx=\"3\"/>",
            y + 7.0
        );
        let (width, text) = match slice.metrics.value(metric) {
            Some(value) => (((value - left) / (right - left)).clamp(0.0, 1.0) * track, format!("{value:.3}")),
            None => (0.0, "undefined".to_owned()),
        };
        let _ = write!(
            svg,
            "<rect class=\"bar\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"10\" rx=\"3\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
            y + 7.0,
            LEFT + track + 8.0,
            y + 16.0
        );
    }
    svg.push_str("</svg>");
    svg
}

/// An improvement with its interval, drawn against zero.
pub fn interval(improvement: Improvement) -> String {
    let Improvement { difference, low, high } = improvement;
    let (left, right) = (low.min(0.0), high.max(0.0));
    let pad = ((right - left) * 0.1).max(0.001);
    let x = |value: f64| 20.0 + (value - left + pad) / (right - left + 2.0 * pad) * (WIDTH - 40.0);
    let mut svg = open(64.0, "interval of the improvement");
    let _ = write!(svg, "<line class=\"zero\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"4\" y2=\"46\"/>", x(0.0));
    let _ = write!(svg, "<line class=\"whisker\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"25\" y2=\"25\"/>", x(low), x(high));
    let _ = write!(svg, "<circle class=\"dot\" cx=\"{:.1}\" cy=\"25\" r=\"5\"/>", x(difference));
    for (value, text) in [(low, format!("{low:+.3}")), (high, format!("{high:+.3}")), (0.0, "0".to_owned())] {
        let _ = write!(
            svg,
            "<text class=\"tick\" text-anchor=\"middle\" x=\"{:.1}\" y=\"60\">{text}</text>",
            x(value).clamp(20.0, WIDTH - 20.0)
        );
    }
    svg.push_str("</svg>");
    svg
}

/// By how much one is better as a share of the other's score, beside the margin within which both are called similar.
pub fn share(RelativeScore { low, high, margin }: RelativeScore) -> String {
    let (left, right) = (low.min(-margin), high.max(margin));
    let pad = (right - left) * 0.1;
    let x = |value: f64| 20.0 + (value - left + pad) / (right - left + 2.0 * pad) * (WIDTH - 40.0);
    let mut svg = open(64.0, "how much better, as a share of the score of a");
    let (from, to) = (x(-margin), x(margin));
    let _ = write!(
        svg,
        "<rect class=\"track\" x=\"{from:.1}\" y=\"6\" width=\"{:.1}\" height=\"38\"><title>similar</title></rect>",
        to - from
    );
    let _ = write!(svg, "<line class=\"zero\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"4\" y2=\"46\"/>", x(0.0));
    let _ = write!(svg, "<line class=\"whisker\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"25\" y2=\"25\"/>", x(low), x(high));
    for (value, y) in [(-margin, 60), (margin, 60), (low, 18), (high, 18)] {
        let at = x(value).clamp(24.0, WIDTH - 24.0);
        let percent = value * 100.0;
        let _ =
            write!(svg, "<text class=\"tick\" text-anchor=\"middle\" x=\"{at:.1}\" y=\"{y}\">{percent:+.1} %</text>");
    }
    svg.push_str("</svg>");
    svg
}

/// Differences from one and the same, each with its interval, below each other and beside zero.
pub fn intervals(rows: &[(String, Improvement)]) -> String {
    const ROW: f64 = 24.0;
    const LEFT: f64 = 200.0;
    const RIGHT: f64 = 170.0;
    let low = rows.iter().map(|(_, one)| one.low).fold(0.0, f64::min);
    let high = rows.iter().map(|(_, one)| one.high).fold(0.0, f64::max);
    let span = (high - low).max(f64::MIN_POSITIVE);
    let x = |value: f64| LEFT + (value - low) / span * (WIDTH - LEFT - RIGHT);
    let height = rows.len() as f64 * ROW;
    let mut svg = open(height + 4.0, "improvements over the first");
    let _ = write!(svg, "<line class=\"zero\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"0\" y2=\"{height}\"/>", x(0.0));
    for (i, (name, improvement)) in rows.iter().enumerate() {
        let y = i as f64 * ROW + 12.0;
        let name = escape(&name.chars().take(30).collect::<String>());
        let Improvement { difference, low, high } = *improvement;
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"0\" y=\"{0:.1}\">{name}</text>\
             <line class=\"whisker\" x1=\"{1:.1}\" x2=\"{2:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <circle class=\"dot\" cx=\"{3:.1}\" cy=\"{y:.1}\" r=\"4\"/>\
             <text class=\"tick\" x=\"{4:.1}\" y=\"{0:.1}\">{improvement}</text>",
            y + 4.0,
            x(low),
            x(high),
            x(difference),
            WIDTH - RIGHT + 10.0,
        );
    }
    svg.push_str("</svg>");
    svg
}

/// A part of something, and what stands beside it.
pub struct Bar {
    pub label: String,
    /// Negative leads away from the whole.
    pub percent: f64,
    pub value: String,
}

/// Parts of a whole as bars from zero; what leads away from it goes to the left.
pub fn shares(bars: &[Bar]) -> String {
    const ROW: f64 = 24.0;
    const LEFT: f64 = 170.0;
    const RIGHT: f64 = 230.0;
    let least = bars.iter().map(|bar| bar.percent).fold(0.0, f64::min).max(-200.0);
    let greatest = bars.iter().map(|bar| bar.percent).fold(100.0, f64::max).min(300.0);
    let x =
        |percent: f64| LEFT + (percent.clamp(least, greatest) - least) / (greatest - least) * (WIDTH - LEFT - RIGHT);
    let mut svg = open(bars.len() as f64 * ROW + 4.0, "how much of the difference");
    for (i, bar) in bars.iter().enumerate() {
        let y = i as f64 * ROW;
        let (from, to) = (x(bar.percent.min(0.0)), x(bar.percent.max(0.0)));
        let label = escape(&bar.label.chars().take(24).collect::<String>());
        let (value, percent) = (escape(&bar.value), bar.percent);
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"0\" y=\"{:.1}\">{label}</text>\
             <rect class=\"track\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"10\" rx=\"3\"/>\
             <rect class=\"bar\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"10\" rx=\"3\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{percent:.0} %  {value}</text>",
            y + 16.0,
            x(0.0),
            y + 7.0,
            x(100.0) - x(0.0),
            y + 7.0,
            to - from,
            WIDTH - RIGHT + 8.0,
            y + 16.0
        );
    }
    svg.push_str("</svg>");
    svg
}

/// The same shape within a line of text.
pub fn spark(counts: &[u64]) -> String {
    const HEIGHT: f64 = 22.0;
    const STEP: f64 = 6.0;
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let width = counts.len() as f64 * STEP;
    let mut svg = format!(
        "<svg class=\"spark\" viewBox=\"0 0 {width} {HEIGHT}\" width=\"{width}\" height=\"{HEIGHT}\" role=\"img\" \
         aria-label=\"how the numbers lie\">"
    );
    for (i, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        // what is there is seen
        let height = (*count as f64 / most as f64 * HEIGHT).max(1.0);
        let (x, y) = (i as f64 * STEP, HEIGHT - height);
        let _ = write!(svg, "<rect class=\"bar\" x=\"{x}\" y=\"{y:.1}\" width=\"5\" height=\"{height:.1}\"/>");
    }
    svg.push_str("</svg>");
    svg
}

/// How many numbers lie in each range; there is one more edge than there are counts.
pub fn histogram(edges: &[f64], counts: &[u64]) -> String {
    const HEIGHT: f64 = 110.0;
    const GAP: f64 = 1.5;
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let width = (WIDTH - 20.0) / counts.len().max(1) as f64;
    let mut svg = open(HEIGHT + 26.0, "how the numbers lie");
    for (i, (count, ends)) in counts.iter().zip(edges.windows(2)).enumerate() {
        let height = *count as f64 / most as f64 * HEIGHT;
        let _ = write!(
            svg,
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{} to {}: {count}</title></rect>",
            10.0 + i as f64 * width,
            HEIGHT + 4.0 - height,
            width - GAP,
            ends[0],
            ends[1],
        );
    }
    let ends = [(edges.first(), 10.0, "start"), (edges.last(), WIDTH - 10.0, "end")];
    for (edge, x, anchor) in ends.into_iter().filter_map(|(edge, x, anchor)| Some((edge?, x, anchor))) {
        let y = HEIGHT + 20.0;
        let _ = write!(svg, "<text class=\"tick\" text-anchor=\"{anchor}\" x=\"{x}\" y=\"{y}\">{edge}</text>");
    }
    svg.push_str("</svg>");
    svg
}

fn open(height: f64, label: &str) -> String {
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" height=\"{height:.0}\" role=\"img\" \
         aria-label=\"{label}\">"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_drawn_as_high_as_they_are_full() {
        let svg = histogram(&[0.0, 1.0, 2.5, 4.0], &[10, 0, 5]);
        let heights: Vec<&str> =
            svg.split("class=\"bar\"").skip(1).map(|bar| bar.split("height=\"").nth(1).unwrap()).collect();
        assert!(
            heights[0].starts_with("110.0\"") && heights[1].starts_with("0.0\"") && heights[2].starts_with("55.0\"")
        );
        assert!(svg.contains("2.5 to 4: 5") && svg.contains(">4</text>"), "{svg}");
        assert!(histogram(&[], &[]).contains("</svg>"));
        assert_eq!(spark(&[10, 0, 5]).matches("<rect").count(), 2);
    }

    #[test]
    fn shares_are_drawn_to_scale_on_both_sides_of_zero() {
        let bar = |label: &str, percent| Bar { label: label.to_owned(), percent, value: "[<1>]".to_owned() };
        let svg = shares(&[bar("a & b", 50.0), bar("c", -50.0), bar("d", 100.0)]);
        let widths: Vec<f64> = svg
            .split("class=\"bar\"")
            .skip(1)
            .map(|element| element.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect();
        assert!((widths[0] - widths[1]).abs() < 0.11 && (widths[2] - 2.0 * widths[0]).abs() < 0.21, "{widths:?}");
        assert!(svg.contains("a &amp; b") && svg.contains("[&lt;1&gt;]") && svg.contains("-50 %"), "{svg}");
    }

    #[test]
    fn a_share_is_drawn_to_scale_beside_the_margin() {
        let number = |svg: &str, of: &str, name: &str| -> f64 {
            let element = svg.split(&format!("class=\"{of}\"")).nth(1).unwrap();
            element.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
        };
        let svg = share(RelativeScore { low: 0.05, high: 0.15, margin: 0.05 });
        let (from, width) = (number(&svg, "track", "x"), number(&svg, "track", "width"));
        let (low, high) = (number(&svg, "whisker", "x1"), number(&svg, "whisker", "x2"));
        // it begins where the margin ends, and is as wide
        assert!((from + width - low).abs() < 0.2 && (high - low - width).abs() < 0.2, "{svg}");
        assert!(svg.contains("-5.0 %") && svg.contains("+15.0 %"), "{svg}");
    }

    #[test]
    fn many_versions_are_drawn_without_their_names_and_a_few_with_them() {
        let points = |count: usize| -> Vec<(String, f64)> {
            (0..count).map(|number| (format!("1.0.{number} <"), number as f64)).collect()
        };
        assert_eq!(versions(&points(1)), None);
        let few = versions(&points(3)).unwrap();
        assert!(few.matches("<circle").count() == 3 && few.contains(">1.0.2 &lt;</text>"), "{few}");
        let many = versions(&points(1000)).unwrap();
        assert_eq!(many.matches("<circle").count(), 1000);
        assert!(!many.contains(">1.0.999 &lt;</text>") && many.contains("<title>1.0.999 &lt;: 999.0000</title>"));
    }

    #[test]
    fn improvements_over_one_and_the_same_stand_below_each_other() {
        let one = |low, high| Improvement { difference: (low + high) / 2.0, low, high };
        let svg = intervals(&[("m@1.1.0".into(), one(-0.1, 0.1)), ("m@1.2.0".into(), one(0.1, 0.3))]);
        assert_eq!(svg.matches("class=\"whisker\"").count(), 2);
        assert!(svg.contains("m@1.2.0") && svg.contains("+0.200 [0.100, 0.300]"), "{svg}");
    }

    #[test]
    fn an_improvement_is_drawn_to_scale_beside_zero() {
        // where a mark stands: the first number behind what its element begins with
        let place = |svg: &str, mark: &str, side: &str| -> f64 {
            let element = svg.split_once(mark).unwrap().1;
            let number = element.split_once(&format!("{side}=\"")).unwrap().1;
            number.split('"').next().unwrap().parse().unwrap()
        };
        let svg = interval(Improvement { difference: 0.0214, low: 0.0042, high: 0.0389 });
        let (zero, dot) = (place(&svg, "class=\"zero\"", "x1"), place(&svg, "class=\"dot\"", "cx"));
        let (low, high) = (place(&svg, "class=\"whisker\"", "x1"), place(&svg, "class=\"whisker\"", "x2"));
        assert!(zero < low && low < dot && dot < high, "{zero} {low} {dot} {high}");
        let share = (dot - low) / (high - low);
        assert!((share - (0.0214 - 0.0042) / (0.0389 - 0.0042)).abs() < 0.001, "{share}");
        assert!(svg.contains("+0.004") && svg.contains("+0.039"), "{svg}");
        let worse = Improvement { difference: -0.05, low: -0.09, high: -0.01 };
        let svg = interval(worse);
        assert!(place(&svg, "class=\"dot\"", "cx") < place(&svg, "class=\"zero\"", "x1"));
    }
}
