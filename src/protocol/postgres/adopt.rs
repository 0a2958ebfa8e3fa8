//! The objects of a database that belong to the administrator and can go to the database's owner.
//!
//! Excluded are objects of the system and of extensions, and objects that follow the owner of another object by
//! themselves (a table's sequences, row types, array types).

/// The first object identifier that does not belong to the system (`FirstNormalObjectId` in Postgres' `transam.h`).
const FIRST_OF_USERS: u32 = 16384;

/// The schema `public`, if it still belongs to the administrator.
pub(super) const PUBLIC_OF_ADMINISTRATOR: &str = "SELECT 'SCHEMA public' FROM pg_catalog.pg_namespace \
     WHERE nspname = 'public' AND pg_catalog.pg_get_userbyid(nspowner) = current_user";

/// Returns a query for the text between `ALTER` and `OWNER TO`, one object in each row: schemas, tables, views,
/// sequences, types, functions.
pub(super) fn adoptable(major: u32) -> String {
    // `prokind` and `ALTER ROUTINE` exist since Postgres 11; before that, aggregates stay with the administrator.
    let (routine, routines) = if major < 11 { ("FUNCTION", "AND NOT p.proisagg") } else { ("ROUTINE", "") };
    format!(
        "WITH mine AS (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user), \
         bound AS (SELECT classid, objid, deptype FROM pg_catalog.pg_depend WHERE objsubid = 0), \
         spaces AS (SELECT oid, nspname, nspowner FROM pg_catalog.pg_namespace \
                    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema') \
         SELECT pg_catalog.format('SCHEMA %I', n.nspname) FROM spaces n \
          WHERE n.nspowner = (SELECT oid FROM mine) AND n.oid >= {FIRST_OF_USERS} AND NOT EXISTS (SELECT FROM bound b \
                WHERE b.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND b.objid = n.oid \
                  AND b.deptype = 'e') \
         UNION ALL \
         SELECT pg_catalog.format('TABLE %I.%I', n.nspname, c.relname) \
           FROM pg_catalog.pg_class c JOIN spaces n ON n.oid = c.relnamespace \
          WHERE c.relowner = (SELECT oid FROM mine) AND c.oid >= {FIRST_OF_USERS} \
            AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT EXISTS (SELECT FROM bound b \
                WHERE b.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND b.objid = c.oid \
                  AND (b.deptype IN ('e', 'i') OR b.deptype = 'a' AND c.relkind = 'S')) \
         UNION ALL \
         SELECT pg_catalog.format('TYPE %I.%I', n.nspname, t.typname) \
           FROM pg_catalog.pg_type t JOIN spaces n ON n.oid = t.typnamespace \
          WHERE t.typowner = (SELECT oid FROM mine) AND t.oid >= {FIRST_OF_USERS} AND t.typisdefined \
            AND NOT EXISTS (SELECT FROM bound b \
                WHERE b.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND b.objid = t.oid \
                  AND b.deptype IN ('e', 'i')) \
         UNION ALL \
         SELECT pg_catalog.format('{routine} %s', p.oid::pg_catalog.regprocedure) \
           FROM pg_catalog.pg_proc p JOIN spaces n ON n.oid = p.pronamespace \
          WHERE p.proowner = (SELECT oid FROM mine) AND p.oid >= {FIRST_OF_USERS} {routines} \
            AND NOT EXISTS (SELECT FROM bound b \
                WHERE b.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND b.objid = p.oid \
                  AND b.deptype IN ('e', 'i'))"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routines_are_named_as_the_version_knows_them() {
        assert!(adoptable(10).contains("'FUNCTION %s'") && adoptable(10).contains("proisagg"));
        assert!(adoptable(15).contains("'ROUTINE %s'") && !adoptable(15).contains("proisagg"));
    }
}
