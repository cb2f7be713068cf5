-- Days and currencies together are all orders that have a price. No rows where it holds.
select made.orders, held.orders as held
from (select sum(orders) as orders, sum(gross) as gross from {{ ref('revenue_by_day') }}) as made
cross join (
    select count(*) as orders, sum(gross) as gross
    from {{ source('shop', 'people_orders') }}
    where currency is not null
) as held
where made.orders is distinct from held.orders and held.orders > 0
   or made.gross is distinct from held.gross
