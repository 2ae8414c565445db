//! What is printed: a line for each comparison, or JSON.

/// One comparison.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) compared_with: &'static str,
    pub(crate) ratio: f64,
    pub(crate) target: Target,
    /// What was measured of the first of the two, and its unit.
    pub(crate) figure: (f64, &'static str),
}

/// What the ratio should be.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
    None,
}

impl Row {
    pub(crate) fn is_met(&self) -> bool {
        match self.target {
            Target::AtMost(most) => self.ratio <= most,
            Target::AtLeast(least) => self.ratio >= least,
            Target::None => true,
        }
    }
}

pub(crate) fn print(rows: &[Row], json: bool) {
    if json {
        let rows: Vec<_> = rows.iter().map(as_json).collect();
        println!("{}", serde_json::json!({ "rows": rows }));
        return;
    }
    for row in rows {
        println!("{}", as_line(row));
    }
}

fn as_line(row: &Row) -> String {
    let met = if row.is_met() { "met" } else { "NOT MET" };
    let target = match row.target {
        Target::AtMost(most) => format!("target at most {most:.2}, {met}"),
        Target::AtLeast(least) => format!("target at least {least:.2}, {met}"),
        Target::None => "no target".to_owned(),
    };
    let (name, ratio, compared_with) = (row.name, row.ratio, row.compared_with);
    let (figure, unit) = row.figure;
    format!("{name}: {ratio:.2} x {compared_with} ({figure:.0} {unit}; {target})")
}

fn as_json(row: &Row) -> serde_json::Value {
    let (target, bound) = match row.target {
        Target::AtMost(most) => (Some(most), Some("at-most")),
        Target::AtLeast(least) => (Some(least), Some("at-least")),
        Target::None => (None, None),
    };
    let (figure, unit) = row.figure;
    serde_json::json!({
        "name": format!("{} / {}", row.name, row.compared_with),
        "ratio": row.ratio,
        "target": target,
        "bound": bound,
        "met": row.is_met(),
        "figure": figure,
        "unit": unit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ratio: f64, target: Target) -> Row {
        Row {
            name: "this",
            compared_with: "that",
            ratio,
            target,
            figure: (7.0, "ns"),
        }
    }

    #[test]
    fn a_target_is_met_on_its_own_side() {
        assert!(row(1.4, Target::AtMost(1.5)).is_met());
        assert!(!row(1.6, Target::AtMost(1.5)).is_met());
        assert!(row(26.0, Target::AtLeast(25.0)).is_met());
        assert!(!row(24.0, Target::AtLeast(25.0)).is_met());
        assert!(row(1e9, Target::None).is_met());
    }

    #[test]
    fn lines_and_json_say_which_side() {
        let row = row(24.0, Target::AtLeast(25.0));
        let line = "this: 24.00 x that (7 ns; target at least 25.00, NOT MET)";
        assert_eq!(as_line(&row), line);
        let json = as_json(&row);
        assert_eq!(
            (&json["bound"], &json["met"]),
            (&"at-least".into(), &false.into())
        );
    }
}
