//! One page of what is looked for.

use super::{
    found::{Found, columns, found, show},
    order::{Mark, Sorted, mark_of, metric_of},
    plan::Plan,
    shelf::Shelf,
    term::Statement,
    wanted::Search,
};
use crate::{
    LedgerError, View,
    query::view::Reading,
    sql::{Row, Value},
};

impl View {
    /// The things that are looked for behind a mark, in their order: so many at most, and the mark of the last one if there
    /// are more.
    pub async fn search(
        &self,
        search: &Search<'_>,
        after: Option<&Mark>,
        limit: usize,
    ) -> Result<(Vec<Found>, Option<Mark>), LedgerError> {
        let mut read = self.read().await?;
        let shelf = Shelf::of(search.realm, &read);
        let plan = Plan::of(search, &shelf, &mut read).await?;
        // one further than the page goes says whether there is another
        let page = Page { search, shelf: &shelf, plan, after, limit: limit + 1 };
        let mut rows = match (plan, metric_of(search.realm, &search.order.by)) {
            (Plan::Everything, Some((kind, name))) => page.by_metric(kind, name, &mut read).await?,
            _ => page.sorted(&mut read).await?,
        };
        let is_last = rows.len() <= limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| !is_last).map(mark_of).transpose()?;
        let mut things = rows.iter().map(|row| found(search.realm, row)).collect::<Result<Vec<_>, _>>()?;
        show(search, &shelf, &mut things, &mut read).await?;
        Ok((things, next))
    }
}

struct Page<'a, 's> {
    search: &'s Search<'a>,
    shelf: &'s Shelf,
    plan: Plan<'a>,
    after: Option<&'s Mark>,
    limit: usize,
}

impl Page<'_, '_> {
    /// Sorts what fits, or takes it from an index that is in this order.
    async fn sorted(&self, read: &mut Reading) -> Result<Vec<Row>, LedgerError> {
        let mut statement = Statement::new(self.search, self.shelf, read)?;
        let sorted = Sorted::of(&mut statement)?;
        let (from, wheres) = (self.plan.from(&mut statement)?, statement.wheres()?);
        let (columns, key, limit) = (columns(self.search.realm), &sorted.sql, self.limit);
        let behind = |key: &str, id: &str, statement: &mut Statement<'_>| {
            self.after.map(|mark| sorted.is_behind(mark, key, id, statement))
        };
        let sql = match sorted.is_always {
            true => {
                let behind = behind(key, "e.id", &mut statement).map(|behind| format!(" AND {behind}"));
                let (behind, order) = (behind.unwrap_or_default(), sorted.word());
                format!(
                    "SELECT {columns}, {key} AS wanted FROM {from}{wheres}{behind} \
                     ORDER BY {key} {order}, e.id DESC LIMIT {limit}"
                )
            }
            false => {
                let behind = behind("wanted", "id", &mut statement).map(|behind| format!(" WHERE {behind}"));
                let (behind, order) = (behind.unwrap_or_default(), sorted.order_by("wanted"));
                format!(
                    "SELECT * FROM (SELECT {columns}, {key} AS wanted FROM {from}{wheres}) p{behind} {order} LIMIT {limit}"
                )
            }
        };
        let values = statement.values;
        read.session.rows(&sql, &values).await
    }

    /// Goes through a metric in its order, and then through what has none.
    async fn by_metric(&self, kind: &str, name: &str, read: &mut Reading) -> Result<Vec<Row>, LedgerError> {
        let mut rows = match self.after {
            Some(Mark { key: None, .. }) => Vec::new(),
            _ => self.with_metric(kind, name, read).await?,
        };
        if rows.len() < self.limit {
            rows.extend(self.without_metric(kind, name, self.limit - rows.len(), read).await?);
        }
        Ok(rows)
    }

    async fn with_metric(&self, kind: &str, name: &str, read: &mut Reading) -> Result<Vec<Row>, LedgerError> {
        let mut statement = Statement::new(self.search, self.shelf, read)?;
        let sorted = Sorted::always("f.rank", self.search.order.direction);
        let (name, wheres) = (statement.bind(name), statement.wheres()?);
        let behind = self.after.map(|mark| sorted.is_behind(mark, &sorted.sql, "f.id", &mut statement));
        let behind = behind.map(|behind| format!(" AND {behind}")).unwrap_or_default();
        let sql = format!(
            "SELECT {}, {} AS wanted FROM {} CROSS JOIN {} WHERE f.kind = '{kind}' AND f.name = {name} \
             AND f.rank IS NOT NULL AND {} AND e.id = f.id AND {wheres}{behind} ORDER BY {} {}, f.id DESC LIMIT {}",
            columns(self.search.realm),
            sorted.sql,
            self.shelf.facts,
            self.shelf.things,
            self.shelf.is_fact,
            sorted.sql,
            sorted.word(),
            self.limit,
        );
        let values = statement.values;
        read.session.rows(&sql, &values).await
    }

    async fn without_metric(
        &self,
        kind: &str,
        name: &str,
        limit: usize,
        read: &mut Reading,
    ) -> Result<Vec<Row>, LedgerError> {
        let mut statement = Statement::new(self.search, self.shelf, read)?;
        let (name, wheres) = (statement.bind(name), statement.wheres()?);
        let behind = match self.after {
            Some(Mark { key: None, id }) => format!(" AND e.id < {}", statement.bind(Value::Int(*id))),
            _ => String::new(),
        };
        let sql = format!(
            "SELECT {}, NULL AS wanted FROM {} WHERE {wheres}{behind} AND NOT EXISTS (SELECT 1 FROM {} \
             WHERE f.id = e.id AND f.kind = '{kind}' AND f.name = {name} AND f.rank IS NOT NULL AND {} LIMIT 1 OFFSET 0) \
             ORDER BY e.id DESC LIMIT {limit}",
            columns(self.search.realm),
            self.shelf.things,
            self.shelf.facts,
            self.shelf.is_fact_of_thing,
        );
        let values = statement.values;
        read.session.rows(&sql, &values).await
    }
}
