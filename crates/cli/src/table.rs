//! Columns of text for people.

/// Rows under a header; the columns named as numbers are aligned to the right.
pub(crate) struct Table {
    header: Vec<String>,
    numeric: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table. A header that begins with `#` stands over numbers; the `#` is not shown.
    pub(crate) fn new<S: AsRef<str>>(header: &[S]) -> Self {
        let numeric = header.iter().map(|name| name.as_ref().starts_with('#')).collect();
        let header = header.iter().map(|name| name.as_ref().trim_start_matches('#').to_owned()).collect();
        Self { header, numeric, rows: Vec::new() }
    }

    /// Adds a row with one cell per column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as lines.
    pub(crate) fn render(&self) -> String {
        let lines: Vec<&Vec<String>> = std::iter::once(&self.header).chain(&self.rows).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let rendered: Vec<String> = lines.iter().map(|line| self.line(line, &widths)).collect();
        rendered.join("\n")
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let padded: Vec<String> = cells
            .iter()
            .zip(widths)
            .zip(&self.numeric)
            .map(
                |((cell, width), numeric)| if *numeric { format!("{cell:>width$}") } else { format!("{cell:<width$}") },
            )
            .collect();
        padded.join("  ").trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn numbers_stand_right_and_text_left() {
        let mut table = Table::new(&["skill", "#reward"]);
        table.row(["edit".to_owned(), "1".to_owned()]);
        table.row(["localize".to_owned(), "-0.5".to_owned()]);
        assert_eq!(table.render(), "skill     reward\nedit           1\nlocalize    -0.5");
    }
}
