-- One row per store, day and currency: orders of that day, and refunds of that day.
with parts as (
    select store_id, day, currency, 1 as orders, gross, 0 as taken
    from {{ source('shop', 'people_orders') }}
    where currency is not null
    union all
    select store_id, day, currency, 0, 0, taken
    from {{ source('shop', 'people_refunds') }}
    where taken > 0
)

select
    store_id, day, currency,
    cast(sum(orders) as bigint) as orders,
    sum(gross) as gross,
    sum(taken) as taken,
    sum(gross) - sum(taken) as net
from parts
group by all
