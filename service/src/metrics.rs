//! Metrics in Prometheus' text format.

use std::fmt::Write;

/// The media type of the text.
pub const PROMETHEUS_MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Builds a text. Samples of one name must be added one after the other.
///
/// ```
/// use weir_service::PrometheusText;
///
/// let mut text = PrometheusText::default();
/// text.gauge("weir_nodes", "Nodes by state.", &[("state", "RUNNING")], 2.0);
/// assert_eq!(
///     text.finish(),
///     "# HELP weir_nodes Nodes by state.\n# TYPE weir_nodes gauge\nweir_nodes{state=\"RUNNING\"} 2\n"
/// );
/// ```
#[derive(Debug, Default)]
pub struct PrometheusText {
    text: String,
    last_name: String,
}

impl PrometheusText {
    /// A value that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.sample(("gauge", name, help), labels, value);
    }

    /// A count that only grows.
    pub fn counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.sample(("counter", name, help), labels, value);
    }

    /// The text.
    pub fn finish(self) -> String {
        self.text
    }

    fn sample(
        &mut self,
        (kind, name, help): (&str, &str, &str),
        labels: &[(&str, &str)],
        value: f64,
    ) {
        if self.last_name != name {
            let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            name.clone_into(&mut self.last_name);
        }
        self.text.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let opening = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{opening}{label}=\"{}\"", escaped(text));
        }
        let closing = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{closing} {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
