-- dividend / divisor of whole numbers >= 0, rounded to the nearest, a half to the even one (A7).
CREATE OR REPLACE MACRO half_even(dividend, divisor) AS
    dividend // divisor + CASE
        WHEN 2 * (dividend % divisor) > divisor THEN 1
        WHEN 2 * (dividend % divisor) = divisor THEN (dividend // divisor) % 2
        ELSE 0
    END;
