-- No rows where it holds.
select *
from {{ ref('conversion_by_week') }}
where bought > sessions
