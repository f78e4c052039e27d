//! What can be asked of data, as one value: a tool's name and its input. Whoever runs it says where a named file or source
//! really lies.

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::postgres::Address;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Place;
use crate::limits::{InspectError, Limits};
use crate::postgres::Server;
use crate::{compare, duplicates, profile, quality, schema, tool_input};

/// A table or a database as a person names it: `orders.csv`, `shop.db:orders`, `shop:orders` of a granted source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Where {
    /// In the workspace.
    File {
        /// The file, relative.
        path: String,
        /// The table in it.
        table: Option<String>,
    },
    /// Of a granted source.
    Source {
        /// Its name.
        source: String,
        /// The table in it.
        table: Option<String>,
    },
}

impl TryFrom<String> for Where {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (of, table) = match text.split_once(':') {
            Some((of, table)) => (of, Some(table.to_owned())),
            None => (text.as_str(), None),
        };
        if of.is_empty() || table.as_deref() == Some("") || text.chars().any(char::is_control) {
            return Err("name a file (orders.csv), a table in one (shop.db:orders), or a table of a source (shop:orders)".to_owned());
        }
        Ok(match of.contains(['.', '/']) {
            true => Where::File {
                path: of.to_owned(),
                table,
            },
            false => Where::Source {
                source: of.to_owned(),
                table,
            },
        })
    }
}

impl From<Where> for String {
    fn from(place: Where) -> String {
        let (of, table) = match place {
            Where::File { path, table } => (path, table),
            Where::Source { source, table } => (source, table),
        };
        match table {
            Some(table) => format!("{of}:{table}"),
            None => of,
        }
    }
}

/// One thing asked of data, named as its tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tool", deny_unknown_fields)]
pub enum DataScan {
    /// What a table holds.
    #[serde(rename = "ProfileTable")]
    Profile {
        /// Which.
        of: Where,
    },
    /// What two tables have in common.
    #[serde(rename = "CompareTables")]
    Compare {
        /// The first.
        left: Where,
        /// The second.
        right: Where,
        /// Columns by which rows are told apart, joined by commas.
        #[serde(default)]
        key: Option<String>,
    },
    /// The tables of a database and how they hang together.
    #[serde(rename = "SchemaOverview")]
    Schema {
        /// Which database.
        of: Where,
    },
    /// What is wrong with the values of a table.
    #[serde(rename = "DataQuality")]
    Quality {
        /// Which.
        of: Where,
    },
    /// Rows that come more than once.
    #[serde(rename = "FindDuplicates")]
    Duplicates {
        /// In which table.
        of: Where,
        /// By which columns, joined by commas; by all where none is named.
        #[serde(default)]
        by: Option<String>,
    },
}

/// Where a named file or source really lies.
#[derive(Debug, Clone)]
pub enum Spot {
    /// A file.
    File(PathBuf),
    /// A PostgreSQL server.
    Server {
        /// Which.
        address: Address,
        /// The password of its user.
        password: Option<String>,
        /// Longest run of one statement.
        most: Duration,
    },
}

impl Spot {
    fn place<'p>(&'p self, table: Option<&'p str>) -> Place<'p> {
        match self {
            Spot::File(path) => Place::File { path, table },
            Spot::Server {
                address,
                password,
                most,
            } => {
                let server = Server {
                    address,
                    password: password.as_deref(),
                };
                Place::Server {
                    server,
                    most: *most,
                    table,
                }
            }
        }
    }
}

impl DataScan {
    /// The scan that a tool's name and input ask for.
    ///
    /// # Errors
    /// A sentence about the input.
    pub fn parse(tool: &str, input: &Value) -> Result<DataScan, String> {
        tool_input::tagged(tool, input)
    }

    /// The tool's name.
    pub fn tool(&self) -> &'static str {
        match self {
            DataScan::Profile { .. } => "ProfileTable",
            DataScan::Compare { .. } => "CompareTables",
            DataScan::Schema { .. } => "SchemaOverview",
            DataScan::Quality { .. } => "DataQuality",
            DataScan::Duplicates { .. } => "FindDuplicates",
        }
    }

    /// Everything it names.
    pub fn places(&self) -> Vec<&Where> {
        match self {
            DataScan::Compare { left, right, .. } => vec![left, right],
            DataScan::Profile { of }
            | DataScan::Schema { of }
            | DataScan::Quality { of }
            | DataScan::Duplicates { of, .. } => {
                vec![of]
            }
        }
    }

    /// The files it names, to be brought into a clean form.
    pub fn files_mut(&mut self) -> Vec<&mut String> {
        let places = match self {
            DataScan::Compare { left, right, .. } => vec![left, right],
            DataScan::Profile { of }
            | DataScan::Schema { of }
            | DataScan::Quality { of }
            | DataScan::Duplicates { of, .. } => {
                vec![of]
            }
        };
        let mut files = Vec::new();
        for place in places {
            if let Where::File { path, .. } = place {
                files.push(path);
            }
        }
        files
    }

    /// The files it names.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.places().into_iter().filter_map(|place| match place {
            Where::File { path, .. } => Some(path.as_str()),
            Where::Source { .. } => None,
        })
    }

    /// The sources it names.
    pub fn sources(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for place in self.places() {
            if let Where::Source { source, .. } = place {
                names.push(source.as_str());
            }
        }
        names
    }

    /// One line for people.
    pub fn preview(&self) -> String {
        let shown = |place: &Where| String::from(place.clone());
        match self {
            DataScan::Profile { of } => format!("profile {}", shown(of)),
            DataScan::Compare { left, right, .. } => {
                format!("compare {} with {}", shown(left), shown(right))
            }
            DataScan::Schema { of } => format!("look at the tables of {}", shown(of)),
            DataScan::Quality { of } => format!("check the values of {}", shown(of)),
            DataScan::Duplicates { of, .. } => format!("find duplicates in {}", shown(of)),
        }
    }

    /// Does it. `find` says where a name leads, `scratch` is a folder for what does not fit in memory.
    ///
    /// # Errors
    /// A sentence about what could not be read.
    pub fn run(
        &self,
        find: &dyn Fn(&Where) -> Result<Spot, String>,
        scratch: &Path,
        limits: &Limits,
    ) -> Result<Value, String> {
        let spots: Vec<Spot> = self
            .places()
            .into_iter()
            .map(find)
            .collect::<Result<_, _>>()?;
        let names = self.places();
        let place = |at: usize| {
            let table = match names[at] {
                Where::File { table, .. } | Where::Source { table, .. } => table.as_deref(),
            };
            spots[at].place(table)
        };
        match self {
            DataScan::Profile { .. } => said(profile::of(&place(0), limits)),
            DataScan::Compare { key, .. } => said(compare::scan(
                &place(0),
                &place(1),
                &columns(key.as_deref()),
                scratch,
            )),
            DataScan::Schema { .. } => said(schema::scan(&place(0))),
            DataScan::Quality { .. } => said(quality::scan(&place(0), limits)),
            DataScan::Duplicates { by, .. } => {
                said(duplicates::scan(&place(0), &columns(by.as_deref()), limits))
            }
        }
    }
}

/// `a, b` as two columns.
fn columns(joined: Option<&str>) -> Vec<String> {
    let parts = joined.unwrap_or_default().split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn said<T: Serialize>(report: Result<T, InspectError>) -> Result<Value, String> {
    let report = report.map_err(|e| e.to_string())?;
    serde_json::to_value(report).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn names_lead_to_files_and_sources() {
        for (text, expected) in [
            ("orders.csv", "file orders.csv -"),
            ("data/shop.db:orders", "file data/shop.db orders"),
            ("./orders", "file ./orders -"),
            ("shop:public.orders", "source shop public.orders"),
            ("shop", "source shop -"),
        ] {
            let place = Where::try_from(text.to_owned()).unwrap();
            let (kind, of, table) = match &place {
                Where::File { path, table } => ("file", path, table),
                Where::Source { source, table } => ("source", source, table),
            };
            assert_eq!(
                format!("{kind} {of} {}", table.as_deref().unwrap_or("-")),
                expected
            );
            assert_eq!(String::from(place), text);
        }
        for text in ["", ":", "a:", ":b", "a\u{0}.csv"] {
            assert!(Where::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn inputs_become_scans() {
        let scan = DataScan::parse(
            "CompareTables",
            &json!({"left": "a.csv", "right": "shop:a", "key": "id, day"}),
        )
        .unwrap();
        assert_eq!(
            (scan.tool(), scan.sources()),
            ("CompareTables", vec!["shop"])
        );
        assert_eq!(columns(Some("id, day,")), ["id", "day"]);
        for (tool, input, words) in [
            ("CompareTables", json!({"left": "a.csv"}), "right"),
            ("DataQuality", json!({"of": ":"}), "name a file"),
            (
                "DataQuality",
                json!({"of": "a.csv", "x": 1}),
                "unknown field",
            ),
            ("Nothing", json!({}), "unknown variant"),
        ] {
            let error = DataScan::parse(tool, &input).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
