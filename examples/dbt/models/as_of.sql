-- One row: the snapshot that these tables are made of.
select published_at, complete_until, version
from {{ source('shop', 'snapshot') }}
