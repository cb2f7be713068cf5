-- Grain: as in the macro `blended_days`, of the days shown. Products, tokens, blocks and collections are all made of it.
CREATE OR REPLACE TEMP TABLE shown AS
FROM blended_days(getvariable('first'), getvariable('last'));
