"""What mandate decides, a stream per contract, consent session and access point. Pure."""

from services.mandate.domain.contract import ContractNumber, ContractRefused, parse_contract_number

__all__ = ["ContractNumber", "ContractRefused", "parse_contract_number"]
