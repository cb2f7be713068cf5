-- One row per store and week, from Monday.
select
    store_id,
    cast(date_trunc('week', day) as date) as week,
    cast(sum(sessions) as bigint) as sessions,
    cast(sum(added_to_cart) as bigint) as added_to_cart,
    cast(sum(bought) as bigint) as bought,
    sum(bought) / nullif(sum(sessions), 0) as conversion_rate
from {{ source('shop', 'funnel') }}
group by all
