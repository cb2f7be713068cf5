-- Order lines, and which of them repeat (A9, A8): only here do all devices meet. `competing_lines` have
-- the same identity as a new line; `old_lines` are those that counted until an earlier one arrived.
INSERT INTO new_lines BY NAME FROM recompute_order_lines('fresh');

INSERT INTO competing_lines
SELECT held.*
FROM order_lines AS held
SEMI JOIN new_lines AS new
    ON held.store_id = new.store_id
    AND held.order_id = new.order_id
    AND held.product_id = new.product_id
    AND held.variant_id IS NOT DISTINCT FROM new.variant_id
    AND held.is_refund = new.is_refund
    AND (NOT held.is_refund OR held.refund_id = new.refund_id);

UPDATE new_lines SET is_repeated = true
WHERE EXISTS (
    FROM competing_lines AS other
    WHERE other.store_id = new_lines.store_id
        AND other.order_id = new_lines.order_id
        AND other.product_id = new_lines.product_id
        AND other.variant_id IS NOT DISTINCT FROM new_lines.variant_id
        AND other.is_refund = new_lines.is_refund
        AND (NOT other.is_refund OR other.refund_id = new_lines.refund_id)
        AND (other.occurred_at, other.event_key) < (new_lines.occurred_at, new_lines.event_key)
);

INSERT INTO old_lines
SELECT held.*
FROM competing_lines AS held
SEMI JOIN new_lines AS earlier
    ON held.store_id = earlier.store_id
    AND held.order_id = earlier.order_id
    AND held.product_id = earlier.product_id
    AND held.variant_id IS NOT DISTINCT FROM earlier.variant_id
    AND held.is_refund = earlier.is_refund
    AND (NOT held.is_refund OR held.refund_id = earlier.refund_id)
    AND (earlier.occurred_at, earlier.event_key) < (held.occurred_at, held.event_key)
WHERE NOT held.is_repeated;

UPDATE order_lines SET is_repeated = true
FROM old_lines
WHERE order_lines.event_key = old_lines.event_key
    AND order_lines.occurred_at = old_lines.occurred_at
    AND order_lines.line = old_lines.line
    AND order_lines.occurred_at >= (SELECT min(occurred_at) FROM old_lines);

INSERT INTO order_lines FROM new_lines;
