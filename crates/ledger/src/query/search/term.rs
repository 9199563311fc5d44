//! Conditions as SQL: what must hold of a thing `e`, and how things of which it holds are found through an index.

use std::fmt::Display;

use stemma_core::{
    condition::Comparison,
    meaning::Aspect,
    name::DatasetName,
    search::{Field, Key, Operator, Query, Realm, Section, Term, TextOperator},
    written_time::WrittenTime,
};

use super::{
    said::{has_word, is_said, kinds, leads_to},
    shelf::{Shelf, Whose},
    wanted::Search,
};
use crate::{
    LedgerError,
    query::view::Reading,
    row::{
        rank::rank,
        search::{ALIAS, GATE, WORD},
    },
    sql::{Case, Session, Value},
};

/// Longest text that an index finds; see the migration.
const INDEXED_CHARS_MAX: usize = 200;

/// A statement that is being written, with the values that are bound so far.
pub struct Statement<'a> {
    pub search: &'a Search<'a>,
    pub shelf: &'a Shelf,
    session: &'a Session,
    pub values: Vec<Value>,
    /// Selects the projects.
    projects: String,
    /// A condition: a version of a dataset holds.
    is_dataset: String,
    /// The same of a statement, and of a word of one.
    holds_said: String,
    holds_word: String,
}

impl<'a> Statement<'a> {
    pub fn new(search: &'a Search<'a>, shelf: &'a Shelf, read: &'a Reading) -> Result<Self, LedgerError> {
        let values = vec![Value::list(search.projects.iter().map(|project| [project.as_str()]))?];
        let projects = format!("(SELECT list.value->>0 FROM {})", read.session.list_at(1));
        let [is_dataset, holds_said, holds_word] = ["d", "m", "w"].map(|table| read.holds(table));
        Ok(Self { search, shelf, session: &read.session, values, projects, is_dataset, holds_said, holds_word })
    }

    /// Binds a value; returns what stands for it.
    pub fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// All that must hold of a thing: its realm, its project, what is asked.
    pub fn wheres(&mut self) -> Result<String, LedgerError> {
        let mut wheres = format!("{} AND {}", self.shelf.is_thing, self.is_in_projects("e"));
        if let Some(contracts) = self.search.contracts {
            let list = Value::list(contracts.iter().map(|contract| [contract]))?;
            self.values.push(list);
            let list = self.session.list_at(self.values.len());
            let column = self.session.unindexed("e.contract");
            wheres.push_str(&format!(" AND {column} IN (SELECT CAST(list.value->>0 AS BIGINT) FROM {list})"));
        }
        if let Some(query) = self.search.query {
            wheres.push_str(&format!(" AND {}", self.condition(query)?));
        }
        Ok(wheres)
    }

    fn is_in_projects(&self, table: &str) -> String {
        format!("{} IN {}", self.session.unindexed(&format!("{table}.project")), self.projects)
    }

    fn condition(&mut self, query: &Query) -> Result<String, LedgerError> {
        match query {
            Query::Term(term) => self.term(term),
            Query::Not(inner) => Ok(format!("NOT {}", self.condition(inner)?)),
            Query::And(all) => self.joined(all, " AND "),
            Query::Or(all) => self.joined(all, " OR "),
        }
    }

    fn joined(&mut self, all: &[Query], word: &str) -> Result<String, LedgerError> {
        let all = all.iter().map(|one| self.condition(one)).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("({})", all.join(word)))
    }

    fn term(&mut self, term: &Term) -> Result<String, LedgerError> {
        Ok(match term {
            Term::Compare { key: Key::Field(Field::Alias), is } => self.own_fact(ALIAS, "", |to| to.compared(is)),
            Term::Compare { key: Key::Field(field), is } if field.aspect().is_some() => {
                self.said(field.aspect(), "", Some(is))
            }
            Term::Compare { key: Key::Of(Section::Tags, key), is } => self.said(Some(Aspect::Tag), key, Some(is)),
            Term::Has { section: Section::Tags, name } => self.said(Some(Aspect::Tag), name, None),
            Term::Said(aspect) => self.said(Some(*aspect), "", None),
            Term::Compare { key: Key::Field(field), is } => {
                let column = self.shelf.column(*field).ok_or_else(|| misplaced(field.as_str()))?;
                self.column(column, is)
            }
            Term::Compare { key: Key::Of(section, name), is } => self.fact(&[*section], name, |to| to.compared(is)),
            Term::Compare { key: Key::Named(name), is } => self.fact(named(is), name, |to| to.compared(is)),
            Term::Has { section: Section::Gates, name } => {
                self.own_fact(GATE, name, |_| "f.text = 'passed'".to_owned())
            }
            Term::Has { section, name } => self.fact(&[*section], name, |_| "1 = 1".to_owned()),
            Term::Input(name) => self.field("input", name),
            Term::Output(name) => self.field("output", name),
            Term::TrainedOn { dataset, number } => self.trained_on(dataset, *number)?,
            Term::Package { name, version } => {
                let package = self.package(name, version.as_deref());
                let run = "SELECT 1 FROM search_run r CROSS JOIN environment_package p WHERE r.run = e.run AND r.project = e.project";
                format!("EXISTS ({run} AND {package} {ONE})")
            }
            Term::Text(words) => {
                let text = self.session.unindexed("f.text");
                let spoken = self.session.unindexed("w.word");
                let word = |to: &mut Self, word: &String| {
                    let own = to.own_fact(WORD, "", |to| to.begins_with(&text, word));
                    let is_word = to.begins_with(&spoken, word);
                    match has_word(to.shelf.realm, &to.holds_word, &is_word) {
                        Some(said) => format!("({own} OR {said})"),
                        None => own,
                    }
                };
                let words: Vec<String> = words.iter().map(|one| word(self, one)).collect();
                format!("({})", words.join(" AND "))
            }
        })
    }

    /// Something is said, and compares so.
    fn said(&mut self, aspect: Option<Aspect>, key: &str, is: Option<&Operator>) -> String {
        let Some(aspect) = aspect else { return "1 = 0".to_owned() };
        let key = self.bind(key);
        let text = self.session.unindexed("m.text");
        let way = is.map(|is| self.compared_by("NULL", &text, is)).unwrap_or_default();
        is_said(self.shelf.realm, aspect, &key, &self.holds_said, &way)
    }

    fn column(&mut self, column: &str, is: &Operator) -> String {
        let column = self.session.unindexed(column);
        match is {
            Operator::Time(comparison, time) => self.at_time(&column, *comparison, *time),
            // what is empty is not there
            Operator::Text(operator, text) => {
                format!("({} AND {column} <> '')", self.textual(&column, *operator, text))
            }
            // refused when the query was read
            Operator::Number(..) => "1 = 0".to_owned(),
        }
    }

    fn at_time(&mut self, column: &str, comparison: Comparison, time: WrittenTime) -> String {
        let (start, last) = (self.bind(time.start().micros()), self.bind(time.last().micros()));
        match comparison {
            Comparison::Less => format!("{column} < {start}"),
            Comparison::LessOrEqual => format!("{column} <= {last}"),
            Comparison::Greater => format!("{column} > {last}"),
            Comparison::GreaterOrEqual => format!("{column} >= {start}"),
            Comparison::Equal => format!("({column} >= {start} AND {column} <= {last})"),
            Comparison::NotEqual => format!("({column} < {start} OR {column} > {last})"),
        }
    }

    /// How a fact compares that was found by its thing.
    fn compared(&mut self, is: &Operator) -> String {
        let [rank, text] = ["f.rank", "f.text"].map(|column| self.session.unindexed(column));
        self.compared_by(&rank, &text, is)
    }

    /// How a fact compares, by its columns for numbers and for texts; a text compares with no number.
    fn compared_by(&mut self, as_number: &str, as_text: &str, is: &Operator) -> String {
        match is {
            Operator::Number(comparison, number) => match rank(*number) {
                Some(rank) => format!("{as_number} {} {}", comparison.as_str(), self.bind(rank)),
                None => "1 = 0".to_owned(),
            },
            Operator::Text(operator, text) => self.textual(as_text, *operator, text),
            Operator::Time(..) => "1 = 0".to_owned(),
        }
    }

    fn textual(&mut self, column: &str, operator: TextOperator, text: &str) -> String {
        match operator {
            TextOperator::Equal => format!("{column} = {}", self.bind(text)),
            TextOperator::NotEqual => format!("{column} <> {}", self.bind(text)),
            TextOperator::Like => self.session.like(column, text, Case::Counts, &mut self.values),
            TextOperator::ILike => self.session.like(column, text, Case::Ignored, &mut self.values),
        }
    }

    fn begins_with(&mut self, column: &str, word: &str) -> String {
        let (from, to) = (self.bind(word), self.bind(format!("{word}{}", char::MAX)));
        format!("{column} >= {from} AND {column} < {to}")
    }

    /// There is a fact of one of these sections, in any of the places where they are kept.
    fn fact(&mut self, sections: &[Section], name: &str, is: impl Fn(&mut Self) -> String) -> String {
        let shelf = self.shelf;
        let places = sections.iter().flat_map(|section| shelf.places(*section));
        let places: Vec<String> = places
            .map(|(whose, kind)| match whose {
                Whose::Own => self.own_fact(kind, name, &is),
                Whose::Run => self.run_fact(kind, name, &is),
            })
            .collect();
        if places.is_empty() { "1 = 0".to_owned() } else { format!("({})", places.join(" OR ")) }
    }

    fn own_fact(&mut self, kind: &str, name: &str, is: impl Fn(&mut Self) -> String) -> String {
        let (facts, is_fact, name) = (self.shelf.facts, &self.shelf.is_fact_of_thing, self.bind(name));
        let is = is(self);
        format!(
            "EXISTS (SELECT 1 FROM {facts} WHERE f.id = e.id AND f.kind = '{kind}' AND f.name = {name} AND {is_fact} \
             AND {is} {ONE})"
        )
    }

    fn run_fact(&mut self, kind: &str, name: &str, is: impl Fn(&mut Self) -> String) -> String {
        let name = self.bind(name);
        let is = is(self);
        format!(
            "EXISTS (SELECT 1 FROM search_run r CROSS JOIN search_run_fact f WHERE r.run = e.run \
             AND r.project = e.project AND f.id = r.id AND f.kind = '{kind}' AND f.name = {name} AND {is} {ONE})"
        )
    }

    /// A field of the contract; of a run, a file that it read or wrote.
    fn field(&mut self, direction: &str, name: &str) -> String {
        let name = self.bind(name);
        match self.shelf.realm {
            Realm::Versions | Realm::Datasets => format!(
                "EXISTS (SELECT 1 FROM contract_field c WHERE c.contract = e.contract AND c.direction = '{direction}' \
                 AND c.name = {name} {ONE})"
            ),
            Realm::Runs => format!(
                "EXISTS (SELECT 1 FROM run_file r WHERE r.project = e.project AND r.run = e.run \
                 AND r.direction = '{direction}' AND r.path = {name} {ONE})"
            ),
        }
    }

    fn trained_on(&mut self, dataset: &DatasetName, number: Option<u32>) -> Result<String, LedgerError> {
        let is_dataset = self.is_dataset(dataset, number);
        let descendants = self.descendants(dataset, number)?;
        Ok(format!(
            "(EXISTS (SELECT 1 FROM run_file r CROSS JOIN dataset_version d WHERE r.project = e.project AND r.run = e.run \
             AND r.direction = 'input' AND d.project = r.project AND d.digest = r.digest AND {is_dataset} {ONE}) \
             OR EXISTS (SELECT 1 FROM {descendants} WHERE list.value->>1 = e.run AND list.value->>0 = e.project {ONE}))"
        ))
    }

    fn is_dataset(&mut self, dataset: &DatasetName, number: Option<u32>) -> String {
        let name = self.bind(dataset.as_str());
        let mut is = format!("{} AND d.dataset = {name}", self.is_dataset);
        if let Some(number) = number {
            let number = self.bind(i64::from(number));
            is.push_str(&format!(" AND d.number = {number}"));
        }
        is
    }

    /// Runs as a list to select from: `(project, run)`.
    fn descendants(&mut self, dataset: &DatasetName, number: Option<u32>) -> Result<String, LedgerError> {
        let of_this = self.search.descendants.iter().filter(|one| one.dataset == *dataset && one.number == number);
        let runs = of_this.flat_map(|one| &one.runs).map(|(project, run)| (project.as_str(), run.as_str()));
        let list = Value::list(runs)?;
        self.values.push(list);
        Ok(self.session.list_at(self.values.len()))
    }

    fn package(&mut self, name: &str, version: Option<&str>) -> String {
        let mut is =
            format!("p.project = r.project AND p.environment = r.environment AND p.name = {}", self.bind(name));
        if let Some(version) = version {
            let version = self.bind(version);
            is.push_str(&format!(" AND p.version = {version}"));
        }
        is
    }

    /// Selects the `id` of every thing, of whatever project, of which a condition holds, and maybe of others, through an
    /// index; some more than once. Nothing where no index leads to them.
    pub fn source(&mut self, query: &Query) -> Result<Option<String>, LedgerError> {
        match query {
            Query::Term(term) => self.source_of_term(term),
            Query::Not(_) => Ok(None),
            Query::And(all) => {
                for one in all {
                    if let Some(source) = self.source(one)? {
                        return Ok(Some(source));
                    }
                }
                Ok(None)
            }
            Query::Or(all) => {
                let sources = all.iter().map(|one| self.source(one)).collect::<Result<Option<Vec<_>>, _>>()?;
                Ok(sources.map(|sources| sources.join(" UNION ALL ")))
            }
        }
    }

    fn source_of_term(&mut self, term: &Term) -> Result<Option<String>, LedgerError> {
        let source = match term {
            Term::Compare { key: Key::Field(Field::Alias), is } => self.own_source(ALIAS, "", Some(is)),
            Term::Compare { key: Key::Field(field), is } if field.aspect().is_some() => {
                return Ok(self.source_of_said(field.aspect(), "", Some(is)));
            }
            Term::Compare { key: Key::Of(Section::Tags, key), is } => {
                return Ok(self.source_of_said(Some(Aspect::Tag), key, Some(is)));
            }
            Term::Has { section: Section::Tags, name } => {
                return Ok(self.source_of_said(Some(Aspect::Tag), name, None));
            }
            Term::Said(aspect) => return Ok(self.source_of_said(Some(*aspect), "", None)),
            Term::Compare { key: Key::Field(field), is: Operator::Text(TextOperator::Equal, text) }
                if self.shelf.is_indexed(*field) =>
            {
                let column = self.shelf.column(*field).ok_or_else(|| misplaced(field.as_str()))?;
                let (things, is_thing, text) = (self.shelf.things, &self.shelf.is_thing, self.bind(text.as_str()));
                format!("SELECT e.id AS id FROM {things} WHERE {is_thing} AND {column} = {text}")
            }
            Term::Compare { key: Key::Field(_), .. } => return Ok(None),
            Term::Compare { key: Key::Of(section, name), is } => self.sources(&[*section], name, Some(is)),
            Term::Compare { key: Key::Named(name), is } => self.sources(named(is), name, Some(is)),
            Term::Has { section: Section::Gates, name } => {
                self.own_source(GATE, name, Some(&Operator::Text(TextOperator::Equal, "passed".to_owned())))
            }
            Term::Has { section, name } => self.sources(&[*section], name, None),
            Term::Input(name) => return Ok(self.source_of_field("input", name)),
            Term::Output(name) => return Ok(self.source_of_field("output", name)),
            Term::TrainedOn { dataset, number } => self.source_of_dataset(dataset, *number)?,
            Term::Package { name, version } => self.source_of_package(name, version.as_deref()),
            Term::Text(words) => {
                let Some(word) = words.first() else { return Ok(None) };
                let (facts, is_fact, is) = (self.shelf.facts, &self.shelf.is_fact, self.begins_with("f.text", word));
                let own = format!(
                    "SELECT f.id AS id FROM {facts} WHERE f.kind = '{WORD}' AND f.name = '' AND {is_fact} AND {is} \
                     AND {}",
                    short()
                );
                match self.source_of_word(word) {
                    Some(said) => format!("{own} UNION ALL {said}"),
                    None => own,
                }
            }
        };
        Ok(Some(source))
    }

    fn sources(&mut self, sections: &[Section], name: &str, is: Option<&Operator>) -> String {
        let shelf = self.shelf;
        let places = sections.iter().flat_map(|section| shelf.places(*section));
        let places: Vec<String> = places
            .map(|(whose, kind)| match whose {
                Whose::Own => self.own_source(kind, name, is),
                Whose::Run => self.run_source(kind, name, is),
            })
            .collect();
        places.join(" UNION ALL ")
    }

    fn own_source(&mut self, kind: &str, name: &str, is: Option<&Operator>) -> String {
        let (facts, is_fact) = (self.shelf.facts, &self.shelf.is_fact);
        let is = self.indexed(kind, name, is);
        format!("SELECT f.id AS id FROM {facts} WHERE {is} AND {is_fact}")
    }

    fn run_source(&mut self, kind: &str, name: &str, is: Option<&Operator>) -> String {
        let (things, is_thing) = (self.shelf.things, &self.shelf.is_thing);
        let is = self.indexed(kind, name, is);
        format!(
            "SELECT e.id AS id FROM search_run_fact f CROSS JOIN search_run r CROSS JOIN {things} WHERE {is} \
             AND r.id = f.id AND e.run = r.run AND e.project = r.project AND {is_thing}"
        )
    }

    /// A fact of a name and how it compares, so that an index on texts or on numbers leads there.
    fn indexed(&mut self, kind: &str, name: &str, is: Option<&Operator>) -> String {
        let mut sql = format!("f.kind = '{kind}' AND f.name = {}", self.bind(name));
        if let Some(is) = is {
            sql.push_str(&format!(" AND {}", self.compared_by("f.rank", "f.text", is)));
        }
        if let Some(Operator::Text(TextOperator::Equal, text)) = is
            && text.chars().count() <= INDEXED_CHARS_MAX
        {
            sql.push_str(&format!(" AND {}", short()));
        }
        sql
    }

    /// Things of which, or of whose model, something is said.
    fn source_of_said(&mut self, aspect: Option<Aspect>, key: &str, is: Option<&Operator>) -> Option<String> {
        let aspect = aspect.filter(|_| !kinds(self.shelf.realm).is_empty())?;
        let mut said = format!("m.aspect = '{aspect}' AND m.key = {} AND {}", self.bind(key), self.holds_said);
        if let Some(is) = is {
            said.push_str(&format!(" AND {}", self.compared_by("NULL", "m.text", is)));
        }
        if let Some(Operator::Text(TextOperator::Equal, text)) = is
            && text.chars().count() <= INDEXED_CHARS_MAX
        {
            said.push_str(&format!(" AND length(m.text) <= {INDEXED_CHARS_MAX}"));
        }
        let (things, is_thing, leads) = (self.shelf.things, &self.shelf.is_thing, leads_to(self.shelf.realm, "m"));
        Some(format!(
            "SELECT e.id AS id FROM meaning m CROSS JOIN {things} WHERE {said} AND m.text IS NOT NULL AND {leads} \
             AND {is_thing}"
        ))
    }

    /// Things of which, or of whose model, something is said with a word that begins so.
    fn source_of_word(&mut self, word: &str) -> Option<String> {
        if kinds(self.shelf.realm).is_empty() {
            return None;
        }
        let is_word = self.begins_with("w.word", word);
        let (things, is_thing, leads) = (self.shelf.things, &self.shelf.is_thing, leads_to(self.shelf.realm, "w"));
        Some(format!(
            "SELECT e.id AS id FROM meaning_word w CROSS JOIN {things} WHERE {is_word} AND {} AND {leads} AND {is_thing}",
            self.holds_word
        ))
    }

    fn source_of_field(&mut self, direction: &str, name: &str) -> Option<String> {
        if self.shelf.realm == Realm::Runs {
            return None;
        }
        let (things, is_thing, name) = (self.shelf.things, &self.shelf.is_thing, self.bind(name));
        Some(format!(
            "SELECT e.id AS id FROM contract_field c CROSS JOIN {things} WHERE c.name = {name} \
             AND c.direction = '{direction}' AND e.contract = c.contract AND {is_thing}"
        ))
    }

    fn source_of_dataset(&mut self, dataset: &DatasetName, number: Option<u32>) -> Result<String, LedgerError> {
        let is_dataset = self.is_dataset(dataset, number);
        let descendants = self.descendants(dataset, number)?;
        let (things, is_thing, projects) = (self.shelf.things, &self.shelf.is_thing, &self.projects);
        Ok(format!(
            "SELECT e.id AS id FROM dataset_version d CROSS JOIN run_file r CROSS JOIN {things} \
             WHERE d.project IN {projects} AND {is_dataset} AND r.project = d.project AND r.digest = d.digest \
             AND r.direction = 'input' AND e.run = r.run AND e.project = r.project AND {is_thing} \
             UNION ALL SELECT e.id AS id FROM {descendants} CROSS JOIN {things} WHERE e.run = list.value->>1 \
             AND e.project = list.value->>0 AND {is_thing}"
        ))
    }

    fn source_of_package(&mut self, name: &str, version: Option<&str>) -> String {
        let package = self.package(name, version);
        let (things, is_thing, projects) = (self.shelf.things, &self.shelf.is_thing, &self.projects);
        format!(
            "SELECT e.id AS id FROM environment_package p CROSS JOIN search_run r CROSS JOIN {things} \
             WHERE p.project IN {projects} AND {package} AND e.run = r.run AND e.project = r.project AND {is_thing}"
        )
    }
}

/// What a name without a section may be of: metrics are no texts.
const fn named(is: &Operator) -> &'static [Section] {
    match is {
        Operator::Number(..) => &[Section::Metrics, Section::Params],
        Operator::Text(..) | Operator::Time(..) => &[Section::Params],
    }
}

/// Ends a question whether there is any: it is asked for each thing, and not of all of them at once.
const ONE: &str = "LIMIT 1 OFFSET 0";

fn short() -> String {
    format!("length(f.text) <= {INDEXED_CHARS_MAX}")
}

fn misplaced(what: impl Display) -> LedgerError {
    LedgerError::Damaged(format!("`{what}` was asked of what has none"))
}
